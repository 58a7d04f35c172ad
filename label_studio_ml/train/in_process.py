"""[calling process] Runs jobs on a thread of this process, for authors' tests; `process` runs them in a child."""

from __future__ import annotations

import asyncio

from ..author.host import ModelHost
from ..processes import messages
from ..settings import Settings
from ..store.database import Database
from ..store.jobs import Job
from . import training


class InProcess:
    """Has the model trained that the calling process has loaded."""

    def __init__(self, host: ModelHost, settings: Settings, database: Database) -> None:
        self._host, self._settings, self._database = host, settings, database

    async def run(self, job: Job, owner: str) -> messages.Outcome:
        """Run a claimed job to its end."""
        return await asyncio.to_thread(training.run, self._host, self._settings, self._database, job.id, owner)

    async def stop(self) -> None:
        """There is nothing to end."""

    def kill(self) -> None:
        """There is nothing to end."""

    def renew(self) -> None:
        """The code of this process stays as it is."""
