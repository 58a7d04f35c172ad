"""What the scheduler expects of whoever runs jobs: the trainer process, or the calling process."""

from __future__ import annotations

from typing import Protocol

from ..processes import messages
from ..store.jobs import Job


class Trains(Protocol):
    """Runs jobs, one at a time."""

    async def run(self, job: Job, owner: str) -> messages.Outcome:
        """Run a claimed job to its end.

        Raises:
            WorkerDied: the process running it ended; nothing of the job is stored.
            LoadError: the author's class cannot be loaded.
        """

    async def stop(self) -> None:
        """End; a job that runs is given up."""

    def kill(self) -> None:
        """End now."""

    def renew(self) -> None:
        """The author's code has changed: run the next job with the new one."""
