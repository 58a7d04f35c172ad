"""[any process] Runs jobs on a thread of the calling process; the counterpart of `predict.in_process`."""

from __future__ import annotations

import asyncio

from ..author.host import ModelHost
from ..processes import messages
from ..settings import Settings
from ..store.database import Database
from ..store.jobs import Job
from . import trainer


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
