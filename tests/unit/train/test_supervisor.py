"""A job while it runs: tried again when its trainer dies, ended when it takes too long or is cancelled."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from label_studio_ml.errors import BackendError, LoadError, WorkerDied
from label_studio_ml.store import transitions
from label_studio_ml.store.database import Database
from label_studio_ml.store.jobs import JobState
from label_studio_ml.train import leases
from tests.support.scheduler_scene import Scene, Trainer, ended, trained, until

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("quick")]


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
    monkeypatch.setattr(leases, "SECONDS", 0.3)
    trainer = Trainer()
    scene = Scene(database, tmp_path, trainer)
    job_id = scene.queue()
    step = asyncio.create_task(scene.scheduler.step())
    await until(lambda: trainer.given, "the job to start")
    until_when = scene.job(job_id).lease_until or 0.0
    await until(lambda: (scene.job(job_id).lease_until or 0.0) > until_when, "the lease to be renewed")
    await ended(step)


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
