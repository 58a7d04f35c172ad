"""A scheduler over a real store, with trainers of few words, and whoever listens to it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, text

from label_studio_ml import settings
from label_studio_ml.errors import BackendError, WorkerDied
from label_studio_ml.processes import messages
from label_studio_ml.processes.messages import Description
from label_studio_ml.store import events, jobs, transitions, versions
from label_studio_ml.store.database import Database
from label_studio_ml.store.jobs import Job, JobState
from label_studio_ml.store.versions import Version
from label_studio_ml.train.runner import Trains
from label_studio_ml.train.scheduler import Scheduler


class Trainer:
    """Notes which jobs it is given; each runs until the test ends it, or somebody stops the trainer."""

    def __init__(self, error: BackendError | None = None) -> None:
        self.given: list[str] = []
        self.stopped = 0
        self._error = error
        self._answer: asyncio.Future[messages.Outcome] | None = None

    async def run(self, job: Job, owner: str) -> messages.Outcome:
        self.given.append(job.id)
        if self._error is not None:
            raise self._error
        self._answer = asyncio.get_running_loop().create_future()
        return await self._answer

    async def stop(self) -> None:
        self.stopped += 1
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(WorkerDied("The trainer was ended."))

    def kill(self) -> None:
        """Not needed here."""

    def renew(self) -> None:
        """Not needed here."""

    def finish(self, database: Database) -> None:
        """The job at hand is over, and that is stored."""
        assert self._answer is not None
        job_id = self.given[-1]

        def change(connection: Connection) -> None:
            job = jobs.get(connection, job_id)
            assert job is not None
            assert transitions.finish(connection, job_id, job.lease_owner or "", None)

        database.write(change)
        self._answer.set_result(messages.Fitted(job_id, None))


class Scene:
    """A scheduler and whoever listens to it."""

    def __init__(
        self, database: Database, folder: Path, *trainers: Trains, generation: int = 2, **options: Any
    ) -> None:
        self.database = database
        self.description: Description | None = Description("M", generation, ["ANNOTATION_CREATED"], True, False)
        self.told: list[tuple[str, JobState, str]] = []
        self.versions = 0
        self.settings = settings.load({}, **{"model_dir": folder, "train_debounce": "0", **options})
        self.scheduler = Scheduler(
            database, trainers, self.settings, lambda: self.description, self._on_version, self._on_job
        )

    def _on_version(self) -> None:
        self.versions += 1

    def _on_job(self, job: Job, state: JobState, error: str) -> None:
        self.told.append((job.id, state, error))

    def event(self, project_id: str = "1") -> int:
        return self.database.write(events.add, project_id, "ANNOTATION_CREATED", b"{}")

    def queue(self, project_id: str = "1") -> str:
        return self.database.write(jobs.add, project_id, "ANNOTATION_CREATED")

    def job(self, job_id: str) -> Job:
        job = self.database.read(jobs.get, job_id)
        assert job is not None
        return job

    def make_due(self, job_id: str) -> None:
        """The pause before the next attempt is over."""
        query = text("UPDATE jobs SET not_before = 0 WHERE id = :id")
        self.database.write(lambda connection: connection.execute(query, {"id": job_id}))


async def until(condition: Callable[[], Any], what: str) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, f"gave up waiting for {what}"
        await asyncio.sleep(0.005)


async def ended(task: asyncio.Task[Any]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def trained(scene: Scene, count: int) -> list[Path]:
    """Versions of project 1 with files of their own; the folders, by number."""
    folders = []
    for _ in range(count):
        job_id = scene.queue()
        folder = scene.settings.model_dir / "versions" / "1" / job_id
        folder.mkdir(parents=True)
        version = Version(
            project_id="1", number=0, name="", workdir=str(folder), job_id=job_id, created_at=time.time()
        )

        def change(connection: Connection, job_id: str = job_id, version: Version = version) -> None:
            stored = versions.publish(connection, version, {}, author_name=None)
            transitions.claim(connection, "me", 30)
            transitions.finish(connection, job_id, "me", stored.number)
            versions.activate(connection, "1", stored.number)

        scene.database.write(change)
        folders.append(folder)
    return folders
