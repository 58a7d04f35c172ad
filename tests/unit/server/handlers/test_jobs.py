"""Trainings, as Label Studio and people ask for them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import UNSET
from sqlalchemy import Connection

from label_studio_ml import settings
from label_studio_ml.errors import Gone, NotFound
from label_studio_ml.server.active_versions import ActiveVersions
from label_studio_ml.server.handlers.jobs import Jobs
from label_studio_ml.store import jobs, projects, transitions, versions
from label_studio_ml.store.database import Database
from label_studio_ml.store.versions import Version
from label_studio_ml.train.manage import Manager
from label_studio_ml.wire import requests
from tests.support.in_process_backend import Served, served
from tests.support.managed_backend import Learner, ask, score

CALLS = [
    ("GET", "/jobs/x"),
    ("GET", "/jobs/x/log"),
    ("POST", "/jobs/x/cancel"),
    ("POST", "/jobs/x/retry"),
]


@pytest.fixture
def backend(tmp_path: Path) -> Iterator[Served]:
    with served(Learner, tmp_path) as backend:
        backend.setup()
        yield backend


def test_jobs_are_listed_newest_first_with_what_became_of_them(backend: Served) -> None:
    good = backend.annotate(1).json["job"]
    bad = backend.annotate(2, "Negative").json["job"]
    found = ask(backend, "/jobs").json["jobs"]
    assert [(job["job"], job["state"]) for job in found] == [(bad, "failed"), (good, "finished")]
    assert found[0]["error"] == "fit() failed: ValueError: I only learn good things"
    assert (found[1]["metrics"], found[1]["progress"], found[1]["version"]) == ({"loss": 0.5}, 1.0, 1)


def test_jobs_can_be_asked_for_by_project(backend: Served) -> None:
    job = backend.annotate(1).json["job"]
    assert [one["job"] for one in ask(backend, "/jobs?project=7").json["jobs"]] == [job]
    assert ask(backend, "/jobs?project=8").json == {"jobs": []}


def test_one_job_is_shown_with_its_whole_error(backend: Served) -> None:
    job = backend.annotate(1, "Negative").json["job"]
    shown = ask(backend, f"/jobs/{job}").json
    assert shown["job"] == job
    assert 'raise ValueError("I only learn good things")' in shown["error_detail"]


def test_progress_and_metrics_are_part_of_what_label_studio_can_ask_for(backend: Served) -> None:
    reply = backend.annotate(1)
    status = backend.job(reply)
    assert (status["job_status"], status["progress"], status["metrics"]) == ("finished", 1.0, {"loss": 0.5})
    training = ask(backend, "/is_training?project=7").json
    assert (training["is_training"], training["job"]["progress"]) == (False, 1.0)
    assert training["job"]["metrics"] == {"loss": 0.5}


def test_a_log_is_read_from_a_place_on(backend: Served, tmp_path: Path) -> None:
    job = backend.annotate(1).json["job"]
    log = tmp_path / "jobs" / job / "log.txt"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text("one\ntwo\n")
    assert ask(backend, f"/jobs/{job}/log").json == {"text": "one\ntwo\n", "offset": 8, "active": False}
    assert ask(backend, f"/jobs/{job}/log?offset=4").json["text"] == "two\n"
    for wrong in ("-1", "x", "1.5"):
        reply = ask(backend, f"/jobs/{job}/log?offset={wrong}")
        assert (reply.status_code, reply.json) == (
            400,
            {"error": "The query's `offset` must be a whole number."},
        )


def test_a_job_that_is_over_is_run_once_more_and_one_that_is_over_is_not_cancelled(backend: Served) -> None:
    job = backend.annotate(1).json["job"]
    assert ask(backend, f"/jobs/{job}/cancel", method="POST").json["state"] == "finished"
    again = ask(backend, f"/jobs/{job}/retry", method="POST").json
    assert again["job"] != job
    assert ask(backend, f"/jobs/{again['job']}").json["state"] == "finished"
    assert score(backend) == 2


@pytest.mark.parametrize(("method", "path"), CALLS)
def test_a_job_that_does_not_exist_is_not_found(backend: Served, method: str, path: str) -> None:
    reply = ask(backend, path, method=method)
    assert (reply.status_code, reply.json) == (404, {"error": "There is no job x."})


# --- the handlers alone ----------------------------------------------------------------------------------


class Idle:
    """What begins trainings, told by a test when it should have."""

    def __init__(self) -> None:
        self.begun = 0

    async def begin(self) -> None:
        self.begun += 1


@pytest.fixture
def training() -> Idle:
    return Idle()


@pytest.fixture
def handlers(database: Database, tmp_path: Path, training: Any) -> Jobs:
    manager = Manager(database, settings.load({}, model_dir=tmp_path))
    return Jobs(database, ActiveVersions(database), manager, training)


def finished(database: Database) -> str:
    """A job of project 7 whose version waits to be loaded."""
    database.write(projects.save, "7")
    job_id: str = database.write(jobs.add, "7", "ANNOTATION_CREATED")
    assert database.write(transitions.claim, "me", 30.0) is not None

    def publish(connection: Connection) -> None:
        number = versions.publish(
            connection, Version(project_id="7", number=0, name="", parent=0), {}, author_name=None
        ).number
        assert transitions.finish(connection, job_id, "me", number)

    database.write(publish)
    return job_id


@pytest.mark.anyio
async def test_a_training_is_not_over_before_its_version_predicts(handlers: Jobs, database: Database) -> None:
    job_id = finished(database)
    status = await handlers.job_status(requests.JobStatusRequest(job_id))
    assert (status.job_status, status.error, status.progress) == ("started", UNSET, UNSET)
    assert (await handlers.is_training("7.1795402042")).is_training
    assert (await handlers.is_training()).is_training
    assert not (await handlers.is_training("8")).is_training

    database.write(versions.take_over, "7", 1)
    assert (await handlers.job_status(requests.JobStatusRequest(job_id))).job_status == "finished"
    training = await handlers.is_training("7")
    assert (training.is_training, msgspec.to_builtins(training)["job"]["job"]) == (False, job_id)


@pytest.mark.anyio
async def test_a_job_that_label_studio_asks_for_in_vain_is_gone_and_for_people_it_is_not_found(
    handlers: Jobs,
) -> None:
    with pytest.raises(Gone, match="There is no job x"):
        await handlers.job_status(requests.JobStatusRequest("x"))
    with pytest.raises(NotFound, match="There is no job x"):
        await handlers.show_job("x")


@pytest.mark.anyio
async def test_a_job_that_is_run_once_more_is_begun_at_once(
    handlers: Jobs, database: Database, training: Idle
) -> None:
    again = await handlers.retry_job(finished(database))
    assert (again.state, training.begun) == ("queued", 1)
