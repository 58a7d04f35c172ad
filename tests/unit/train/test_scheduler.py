"""From events to jobs to trainers, over a real store; `tests/integration` has real processes."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Concatenate

import pytest
from sqlalchemy import Connection

from label_studio_ml import settings
from label_studio_ml.author.host import ModelHost
from label_studio_ml.errors import WorkerDied
from label_studio_ml.model import LabelStudioMLBase
from label_studio_ml.store import events, jobs, transitions
from label_studio_ml.store.database import Database, P, T
from label_studio_ml.store.jobs import JobState
from label_studio_ml.train import in_process, leases
from tests.support.scheduler_scene import Scene, Trainer, ended, until

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("quick")]


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
    scene.scheduler.wake()
    await until(lambda: trainer.given, "the job to start")
    assert time.time() - before >= 0.2
    await ended(loop)


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


def dead_owner() -> str:
    made = "from label_studio_ml.train import leases; print(leases.new_owner(leases.new_server()))"
    return subprocess.run([sys.executable, "-c", made], check=True, capture_output=True, text=True).stdout.strip()


@pytest.mark.parametrize(
    ("owner", "lease", "left_behind"),
    [
        (dead_owner, 30.0, True),
        (lambda: leases.new_owner(leases.new_server()), 30.0, False),
        (lambda: "another host/1/x", 30.0, False),
        (lambda: "another host/1/x", -1.0, False),
        (lambda: leases.new_owner(leases.new_server()), -1.0, False),
    ],
    ids=["dead here", "alive here", "elsewhere", "clocks differ elsewhere", "clocks differ here"],
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


async def test_a_job_whose_lease_is_not_renewed_is_taken_over_and_the_late_attempt_can_end_nothing(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "SECONDS", 0.1)
    scene = Scene(database, tmp_path, Trainer(WorkerDied("never asked")))
    job_id = scene.queue()
    database.write(transitions.claim, "another host/1/x", 30)
    loop = asyncio.create_task(scene.scheduler.main_loop())
    await until(lambda: scene.job(job_id).state is JobState.QUEUED, "the job to be taken over")
    await ended(loop)
    assert not database.write(transitions.finish, job_id, "another host/1/x", None)


async def test_a_job_left_behind_while_it_was_being_cancelled_is_cancelled(
    database: Database, tmp_path: Path
) -> None:
    scene = Scene(database, tmp_path, Trainer(WorkerDied("never asked")))
    job_id, owner = scene.queue(), dead_owner()

    def change(connection: Connection) -> None:
        transitions.claim(connection, owner, 30)
        transitions.cancel(connection, job_id)

    database.write(change)
    assert await scene.scheduler.step() is False
    assert scene.job(job_id).state is JobState.CANCELLED


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
