"""[any process] Runs jobs on a thread of the calling process; the counterpart of `runtime.inprocess`."""

from __future__ import annotations

import asyncio

from ..backend.host import ModelHost
from ..settings import Settings
from ..store.database import Database
from ..store.jobs import Job
from . import messages, trainer


class InProcess:
    """See `Trains`."""

    def __init__(self, host: ModelHost, settings: Settings, database: Database) -> None:
        self._host, self._settings, self._database = host, settings, database

    async def run(self, job: Job, owner: str) -> messages.Outcome:
        """See `Trains`."""
        return await asyncio.to_thread(trainer.run, self._host, self._settings, self._database, job.id, owner)

    async def stop(self) -> None:
        """See `Trains`."""

    def kill(self) -> None:
        """See `Trains`."""

    def renew(self) -> None:
        """See `Trains`."""
