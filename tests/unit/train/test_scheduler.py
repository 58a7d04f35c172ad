"""The scheduler over a real store, with trainers of few words; `tests/integration` has it with real processes."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Concatenate

import pytest
from sqlalchemy import Connection, text

from label_studio_ml import settings
from label_studio_ml.author.host import ModelHost
from label_studio_ml.errors import BackendError, LoadError, WorkerDied
from label_studio_ml.model import LabelStudioMLBase
from label_studio_ml.processes import messages
from label_studio_ml.processes.messages import Description
from label_studio_ml.store import events, jobs, projects, transitions, versions
from label_studio_ml.store.database import Database, P, T
from label_studio_ml.store.jobs import Job, JobState
from label_studio_ml.store.versions import Version
from label_studio_ml.train import in_process, scheduler
from label_studio_ml.train.process import Trains
from label_studio_ml.train.scheduler import Scheduler

pytestmark = pytest.mark.anyio


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


@pytest.fixture(autouse=True)
def _quick(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduler, "_POLL", 0.01)
    database.write(lambda connection: [projects.save(connection, name) for name in ("1", "2")])


async def until(condition: Callable[[], Any], what: str) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        await asyncio.sleep(0.005)


async def ended(task: asyncio.Task[Any]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


# --- from events to jobs to trainers ---------------------------------------------------------------------


async def test_nothing_happens_while_the_class_is_not_known_and_nothing_is_lost(
    database: Database, tmp_path: Path
) -> None:
    scene = Scene(database, tmp_path, Trainer(WorkerDied("never asked")))
    description, scene.description = scene.description, None
    event_id = scene.event()
    assert await scene.scheduler.step() is False
    assert database.read(events.pending, "1") == {event_id: "ANNOTATION_CREATED"}
    scene.description = description
    assert await scene.scheduler.step() is True


async def test_a_training_that_leaves_a_version_is_announced(database: Database, tmp_path: Path) -> None:
    class Model(LabelStudioMLBase):
        def fit(self, event: str, data: Any, **kwargs: Any) -> dict[str, Any]:
            return {"trained": True}

    config = settings.load({}, model_dir=tmp_path)
    scene = Scene(
        database, tmp_path, in_process.InProcess(ModelHost(Model, {}, config, database), config, database)
    )
    scene.event()
    assert await scene.scheduler.step() is True
    assert await scene.scheduler.step() is False
    ((_, state, error),) = scene.told
    assert (state, error, scene.versions) == (JobState.FINISHED, "", 1)


async def test_a_fit_that_raises_is_not_tried_again(database: Database, tmp_path: Path) -> None:
    class Model(LabelStudioMLBase):
        def fit(self, event: str, data: Any, **kwargs: Any) -> None:
            raise ValueError("no")

    config = settings.load({}, model_dir=tmp_path)
    scene = Scene(
        database, tmp_path, in_process.InProcess(ModelHost(Model, {}, config, database), config, database)
    )
    scene.event()
    assert await scene.scheduler.step() is True
    ((job_id, state, error),) = scene.told
    assert (state, error) == (JobState.FAILED, "fit() failed: ValueError: no")
    assert scene.job(job_id).attempts == 1
    scene.make_due(job_id)
    assert await scene.scheduler.step() is False


async def test_a_job_that_has_to_wait_is_started_when_its_time_has_come(database: Database, tmp_path: Path) -> None:
    trainer = Trainer()
    scene = Scene(database, tmp_path, trainer, generation=1, train_debounce="0.2s")
    loop = asyncio.create_task(scene.scheduler.main_loop())
    before = time.time()
    scene.event()
    scene.scheduler.nudge()
    await until(lambda: trainer.given, "the job to start")
    assert time.time() - before >= 0.2
    await ended(loop)


# --- several trainers ------------------------------------------------------------------------------------


async def test_projects_train_side_by_side_as_far_as_there_are_trainers_but_never_two_jobs_of_one(
    database: Database, tmp_path: Path
) -> None:
    one, other = Trainer(), Trainer()
    scene = Scene(database, tmp_path, one, other)
    first, second, elsewhere = scene.queue("1"), scene.queue("1"), scene.queue("2")
    loop = asyncio.create_task(scene.scheduler.main_loop())
    await until(lambda: one.given and other.given, "both trainers to work")
    assert {*one.given, *other.given} == {first, elsewhere}
    (one if one.given == [first] else other).finish(database)
    await until(lambda: second in [*one.given, *other.given], "the next job of the project")
    assert scene.job(elsewhere).state is JobState.STARTED
    await ended(loop)


class SlowToTell(Database):
    """A database whose writer takes its time between having written something and saying so."""

    async def write_async(
        self, change: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        result = await super().write_async(change, *args, **kwargs)
        await asyncio.sleep(0.1)
        return result


async def test_a_job_that_was_just_claimed_is_not_taken_for_one_that_was_left_behind(
    database: Database, tmp_path: Path
) -> None:
    slow = SlowToTell(database.url)
    one, other = Trainer(), Trainer()
    scene = Scene(slow, tmp_path, one, other)
    job_id = scene.queue()
    step = asyncio.create_task(scene.scheduler.step(one))
    await until(lambda: scene.job(job_id).state is JobState.STARTED, "the job to be claimed")
    assert not one.given
    assert await scene.scheduler.step(other) is False
    job = scene.job(job_id)
    assert (job.state, job.attempts, job.error) == (JobState.STARTED, 1, None)
    await ended(step)
    slow.close()


# --- trainers that die -----------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [WorkerDied("The trainer was killed."), LoadError("Importing it failed.")])
async def test_a_trainer_that_dies_or_cannot_load_is_tried_three_times_with_growing_pauses(
    database: Database, tmp_path: Path, error: BackendError
) -> None:
    trainer = Trainer(error)
    scene = Scene(database, tmp_path, trainer)
    job_id = scene.queue()
    for attempt, pause in ((1, 2), (2, 4)):
        before = time.time()
        assert await scene.scheduler.step() is True
        job = scene.job(job_id)
        assert (job.state, job.attempts) == (JobState.QUEUED, attempt)
        assert job.error == f"{error} It was to run fit() for project 1."
        assert before + pause <= job.not_before <= time.time() + pause
        assert await scene.scheduler.step() is False
        assert scene.told == []
        scene.make_due(job_id)
    assert await scene.scheduler.step() is True
    job = scene.job(job_id)
    assert (job.state, job.attempts) == (JobState.FAILED, 3)
    assert job.error == f"{error} It was to run fit() for project 1. 3 attempts were made."
    assert [(told, state) for told, state, _ in scene.told] == [(job_id, JobState.FAILED)]
    assert trainer.given == [job_id] * 3
    scene.make_due(job_id)
    assert await scene.scheduler.step() is False


async def test_while_a_job_pauses_other_projects_train(database: Database, tmp_path: Path) -> None:
    trainer = Trainer(WorkerDied("dead"))
    scene = Scene(database, tmp_path, trainer)
    first, elsewhere = scene.queue("1"), scene.queue("2")
    await scene.scheduler.step()
    await scene.scheduler.step()
    assert await scene.scheduler.step() is False
    assert trainer.given == [first, elsewhere]


# --- ending a job ----------------------------------------------------------------------------------------


async def test_a_fit_that_takes_too_long_is_ended_failed_and_not_tried_again(
    database: Database, tmp_path: Path
) -> None:
    trainer = Trainer()
    scene = Scene(database, tmp_path, trainer, fit_timeout="0.05s")
    job_id = scene.queue()
    assert await scene.scheduler.step() is True
    job = scene.job(job_id)
    reason = "fit() took longer than --fit-timeout (0.05 s) and was ended."
    assert (job.state, job.error) == (JobState.FAILED, reason)
    assert scene.told == [(job_id, JobState.FAILED, reason)]
    assert trainer.stopped == 1
    assert await scene.scheduler.step() is False


async def test_without_a_limit_a_fit_may_take_for_ever(database: Database, tmp_path: Path) -> None:
    trainer = Trainer()
    scene = Scene(database, tmp_path, trainer, fit_timeout="0")
    job_id = scene.queue()
    step = asyncio.create_task(scene.scheduler.step())
    await until(lambda: trainer.given, "the job to start")
    await asyncio.wait([step], timeout=0.1)
    assert scene.job(job_id).state is JobState.STARTED
    trainer.finish(database)
    assert await step is True


async def test_a_job_that_runs_is_ended_when_somebody_cancels_it_and_the_next_one_starts(
    database: Database, tmp_path: Path
) -> None:
    trainer = Trainer()
    scene = Scene(database, tmp_path, trainer)
    job_id, following = scene.queue(), scene.queue()
    loop = asyncio.create_task(scene.scheduler.main_loop())
    await until(lambda: trainer.given, "the job to start")
    database.write(transitions.cancel, job_id)
    await until(lambda: trainer.given == [job_id, following], "the next job to start")
    assert scene.job(job_id).state is JobState.CANCELLED
    assert scene.told == [(job_id, JobState.CANCELLED, "")]
    await ended(loop)


async def test_a_server_that_stops_gives_its_job_back_and_the_attempt_does_not_count(
    database: Database, tmp_path: Path
) -> None:
    trainer = Trainer()
    scene = Scene(database, tmp_path, trainer)
    job_id = scene.queue()
    loop = asyncio.create_task(scene.scheduler.main_loop())
    await until(lambda: trainer.given, "the job to start")
    await ended(loop)
    job = scene.job(job_id)
    assert (job.state, job.attempts, job.lease_owner) == (JobState.QUEUED, 0, None)
    assert trainer.stopped >= 1
    assert scene.told == []


async def test_the_lease_of_a_job_that_runs_is_renewed(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scheduler, "LEASE", 0.3)
    trainer = Trainer()
    scene = Scene(database, tmp_path, trainer)
    job_id = scene.queue()
    step = asyncio.create_task(scene.scheduler.step())
    await until(lambda: trainer.given, "the job to start")
    until_when = scene.job(job_id).lease_until or 0.0
    await until(lambda: (scene.job(job_id).lease_until or 0.0) > until_when, "the lease to be renewed")
    await ended(step)


# --- what others left behind -----------------------------------------------------------------------------


def dead_process() -> int:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        pass
    return process.pid


@pytest.mark.parametrize(
    ("owner", "lease", "left_behind"),
    [
        (lambda: f"{socket.gethostname()}/{dead_process()}/x", 30.0, True),
        (lambda: f"{socket.gethostname()}/{os.getpid()}/an earlier life", 30.0, True),
        (lambda: f"{socket.gethostname()}/{os.getppid()}/x", 30.0, False),
        (lambda: "another host/1/x", 30.0, False),
        (lambda: "another host/1/x", -1.0, True),
        (lambda: f"{socket.gethostname()}/{os.getppid()}/x", -1.0, True),
    ],
    ids=["dead here", "earlier life", "alive here", "elsewhere", "lease over elsewhere", "lease over here"],
)
async def test_a_job_is_taken_from_a_server_that_is_gone_and_only_then(
    database: Database, tmp_path: Path, owner: Callable[[], str], lease: float, left_behind: bool
) -> None:
    scene = Scene(database, tmp_path, Trainer(WorkerDied("never asked")))
    job_id = scene.queue()
    name = owner()
    database.write(transitions.claim, name, lease)
    assert await scene.scheduler.step() is False
    job = scene.job(job_id)
    if left_behind:
        assert (job.state, job.error) == (JobState.QUEUED, "The server stopped while fit() ran.")
    else:
        assert (job.state, job.lease_owner) == (JobState.STARTED, name)


async def test_a_job_left_behind_while_it_was_being_cancelled_is_cancelled(
    database: Database, tmp_path: Path
) -> None:
    scene = Scene(database, tmp_path, Trainer(WorkerDied("never asked")))
    job_id = scene.queue()

    def change(connection: Connection) -> None:
        transitions.claim(connection, "another host/1/x", -1.0)
        transitions.cancel(connection, job_id)

    database.write(change)
    assert await scene.scheduler.step() is False
    assert scene.job(job_id).state is JobState.CANCELLED


# --- housekeeping ----------------------------------------------------------------------------------------


def processed(scene: Scene, age: float, project_id: str = "1") -> int:
    """An event that was processed some seconds ago."""
    event_id = scene.event(project_id)
    query = text("UPDATE events SET processed_at = :at WHERE id = :id")
    scene.database.write(lambda connection: connection.execute(query, {"at": time.time() - age, "id": event_id}))
    return event_id


def kept(scene: Scene) -> list[int]:
    query = text("SELECT id FROM events ORDER BY id")
    return scene.database.read(lambda connection: list(connection.execute(query).scalars()))


@pytest.mark.parametrize(
    ("generation", "reached", "goes"),
    [(2, False, True), (2, True, True), (1, True, True), (1, False, False)],
)
async def test_old_events_are_deleted_unless_they_are_all_that_fit_could_learn_from(
    database: Database, tmp_path: Path, generation: int, reached: bool, goes: bool
) -> None:
    scene = Scene(database, tmp_path, Trainer(), generation=generation, keep_events="1h")
    if reached:
        database.write(projects.reached, "1")
    old, recent = processed(scene, 3700), processed(scene, 3500)
    waiting = database.write(events.add, "", "A", b"{}")
    loop = asyncio.create_task(scene.scheduler._tidy_loop())
    if goes:
        await until(lambda: kept(scene) == [recent, waiting], "the old event to be deleted")
    else:
        await asyncio.wait([loop], timeout=0.2)
        assert kept(scene) == [old, recent, waiting]
    await ended(loop)


async def test_an_event_that_still_waits_is_kept_whatever_its_age(database: Database, tmp_path: Path) -> None:
    scene = Scene(database, tmp_path, Trainer(), keep_events="0")
    waiting, gone = scene.event(), processed(scene, 10)
    loop = asyncio.create_task(scene.scheduler._tidy_loop())
    await until(lambda: gone not in kept(scene), "the old event to be deleted")
    assert kept(scene) == [waiting]
    await ended(loop)


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


async def test_only_the_newest_versions_and_the_active_one_are_kept_others_go_with_their_folders(
    database: Database, tmp_path: Path
) -> None:
    scene = Scene(database, tmp_path, Trainer(), keep_versions=2)
    folders = trained(scene, 5)
    database.write(versions.activate, "1", 1)
    loop = asyncio.create_task(scene.scheduler._tidy_loop())
    expected = [True, False, False, True, True]
    await until(lambda: [folder.exists() for folder in folders] == expected, "the surplus folders to go")
    found = database.read(versions.of_project, "1")
    assert sorted(version.number for version in found) == [0, 1, 4, 5]
    await ended(loop)


async def test_all_versions_are_kept_unless_a_number_is_given(database: Database, tmp_path: Path) -> None:
    scene = Scene(database, tmp_path, Trainer())
    folders = trained(scene, 3)
    await scene.scheduler._prune_versions()
    assert all(folder.is_dir() for folder in folders)


async def test_versions_are_pruned_after_a_training(database: Database, tmp_path: Path) -> None:
    trainer = Trainer()
    scene = Scene(database, tmp_path, trainer, keep_versions=1)
    first, second = trained(scene, 2)
    scene.queue()
    step = asyncio.create_task(scene.scheduler.step())
    await until(lambda: trainer.given, "the job to start")
    trainer.finish(database)
    assert await step is True
    assert (first.exists(), second.exists()) == (False, True)


async def test_a_folder_that_is_gone_already_does_not_matter(database: Database, tmp_path: Path) -> None:
    scene = Scene(database, tmp_path, Trainer(), keep_versions=1)
    first, second = trained(scene, 2)
    shutil.rmtree(first)
    await scene.scheduler._prune_versions()
    assert second.is_dir()


# --- the clock ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [-3600.0, 3600.0])
async def test_a_training_that_waits_is_neither_lost_nor_hurried_when_the_clock_is_set(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: float
) -> None:
    scene = Scene(database, tmp_path, Trainer())
    due = time.time() + 100
    job_id = database.write(jobs.add, "1", "A", not_before=due)
    assert await scene.scheduler.step() is False
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + step)
    assert await scene.scheduler.step() is False
    assert scene.job(job_id).not_before == pytest.approx(due + step, abs=1)
    assert await scene.scheduler.step() is False
    assert scene.job(job_id).not_before == pytest.approx(due + step, abs=1)
