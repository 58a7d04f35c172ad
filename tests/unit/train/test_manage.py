"""What people ask about versions and jobs, and what they may do with them."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import Connection

from label_studio_ml import settings
from label_studio_ml.errors import NotFound, RequestError
from label_studio_ml.store import jobs, projects, transitions, values, versions
from label_studio_ml.store.database import Database
from label_studio_ml.store.versions import Version
from label_studio_ml.train.manage import Manager
from label_studio_ml.wire.replies import JobLog

ME = "me"


@pytest.fixture
def manager(database: Database, tmp_path: Path) -> Manager:
    database.write(lambda connection: [projects.save(connection, "1"), projects.save(connection, "2")])
    return Manager(database, settings.load({}, model_dir=tmp_path))


def add(database: Database, project_id: str = "1") -> str:
    return database.write(jobs.add, project_id, "ANNOTATION_CREATED")


def fail(database: Database, job_id: str) -> None:
    def change(connection: Connection) -> None:
        transitions.claim(connection, ME, 30)
        transitions.fail(connection, job_id, ME, "fit() failed: ValueError: no", "Traceback …")

    database.write(change)


def publish(database: Database, project_id: str = "1", **facts: Any) -> Version:
    version = Version(project_id=project_id, number=0, name="", created_at=time.time(), parent=0, **facts)
    return database.write(versions.publish, version, {"a": 1}, author_name=None)


def trained(database: Database, tmp_path: Path) -> Path:
    """A version whose files a job has left; their folder."""
    job_id = add(database)
    workdir = tmp_path / "versions" / "1" / job_id
    workdir.mkdir(parents=True)
    (workdir / "weights").write_text("w")
    publish(database, workdir=str(workdir), job_id=job_id)

    def change(connection: Connection) -> None:
        transitions.claim(connection, ME, 30)
        transitions.finish(connection, job_id, ME, 1)

    database.write(change)
    return workdir


def activate(database: Database, number: int, project_id: str = "1") -> None:
    database.write(versions.activate, project_id, number)


# --- jobs ------------------------------------------------------------------------------------------------


def test_jobs_are_listed_newest_first_of_one_project_or_of_all(manager: Manager, database: Database) -> None:
    first, second = add(database, "1"), add(database, "2")
    assert [job.job for job in manager.list_jobs()] == [second, first]
    assert [job.job for job in manager.list_jobs("1")] == [first]
    assert manager.list_jobs("3") == []
    assert [job.job for job in manager.list_jobs(limit=1)] == [second]


def test_a_job_shows_everything_that_is_known_of_it(manager: Manager, database: Database) -> None:
    job_id = add(database)

    def change(connection: Connection) -> None:
        transitions.claim(connection, ME, 30)
        jobs.report(connection, job_id, ME, 0.5, {"loss": 0.25})

    database.write(change)
    running = manager.show_job(job_id)
    assert (running.state, running.progress, running.metrics) == ("started", 0.5, {"loss": 0.25})
    assert (running.project, running.started_by, running.attempts) == ("1", "ANNOTATION_CREATED", 1)
    assert running.started_at is not None
    assert running.created_at <= running.started_at
    database.write(transitions.fail, job_id, ME, "short", "everything")
    over = manager.show_job(job_id)
    assert (over.state, over.error, over.error_detail) == ("failed", "short", "everything")
    assert not hasattr(manager.list_jobs()[0], "error_detail")
    assert msgspec.json.encode(over)


def test_a_job_that_waits_says_until_when(manager: Manager, database: Database) -> None:
    job_id = database.write(jobs.add, "1", "A", not_before=5e9)
    assert manager.show_job(job_id).due_at == 5e9
    manager.cancel_job(job_id)
    assert manager.show_job(job_id).due_at is None
    assert manager.show_job(add(database)).due_at is None


@pytest.mark.parametrize("ask", ["show_job", "job_log", "cancel_job", "retry_job"])
def test_a_job_that_does_not_exist_is_said_not_to(manager: Manager, ask: str) -> None:
    with pytest.raises(NotFound, match=r"There is no job nobody\."):
        getattr(manager, ask)("nobody")


def test_a_log_is_read_part_by_part_while_it_grows(manager: Manager, database: Database, tmp_path: Path) -> None:
    job_id = add(database)
    assert manager.job_log(job_id) == JobLog("", 0, active=True)
    log = settings.load({}, model_dir=tmp_path).job_log(job_id)
    log.parent.mkdir(parents=True)
    log.write_text("one\n")
    assert manager.job_log(job_id) == JobLog("one\n", 4, active=True)
    assert manager.job_log(job_id, 4) == JobLog("", 4, active=True)
    with log.open("a") as file:
        file.write("two\n")
    assert manager.job_log(job_id, 4) == JobLog("two\n", 8, active=True)
    fail(database, job_id)
    assert manager.job_log(job_id, 8) == JobLog("", 8, active=False)


def test_a_log_that_was_begun_anew_is_read_from_its_beginning(
    manager: Manager, database: Database, tmp_path: Path
) -> None:
    job_id = add(database)
    log = settings.load({}, model_dir=tmp_path).job_log(job_id)
    log.parent.mkdir(parents=True)
    log.write_text("new\n")
    assert manager.job_log(job_id, 1000).text == "new\n"


def test_a_long_log_comes_in_parts_that_make_up_the_whole(
    manager: Manager, database: Database, tmp_path: Path
) -> None:
    job_id = add(database)
    log = settings.load({}, model_dir=tmp_path).job_log(job_id)
    log.parent.mkdir(parents=True)
    whole = "".join(f"line {number}\n" for number in range(60_000))
    log.write_text(whole)
    parts, offset = [], 0
    while part := manager.job_log(job_id, offset):
        parts.append(part.text)
        if part.offset == offset:
            break
        offset = part.offset
    assert len(parts) > 2
    assert "".join(parts) == whole


def test_a_part_never_ends_inside_a_letter(manager: Manager, database: Database, tmp_path: Path) -> None:
    job_id = add(database)
    log = settings.load({}, model_dir=tmp_path).job_log(job_id)
    log.parent.mkdir(parents=True)
    whole = "x" + 200_000 * "ä" + "日"
    log.write_bytes(whole.encode() + "ä".encode()[:1])  # the last letter is being written
    text, offset = "", 0
    while (part := manager.job_log(job_id, offset)).offset != offset:
        text, offset = text + part.text, part.offset
    assert text == whole
    with log.open("ab") as file:
        file.write("ä".encode()[1:])
    assert manager.job_log(job_id, offset).text == "ä"


def test_a_job_is_cancelled_and_tried_again(manager: Manager, database: Database) -> None:
    job_id = add(database)
    assert manager.cancel_job(job_id).state == "cancelled"
    again = manager.retry_job(job_id)
    assert again.state == "queued"
    assert again.job != job_id
    with pytest.raises(RequestError, match="is queued; only a job that is over can be tried again"):
        manager.retry_job(again.job)


# --- versions --------------------------------------------------------------------------------------------


def test_versions_are_listed_newest_first_and_the_active_one_is_marked(
    manager: Manager, database: Database
) -> None:
    publish(database)
    publish(database, "2")
    activate(database, 1)
    listed = [(one.project, one.number, one.active, one.state) for one in manager.list_versions("1")]
    assert listed == [("1", 1, True, "ready"), ("1", 0, False, "ready")]
    everything = {(one.project, one.number): one.active for one in manager.list_versions()}
    assert everything == {("1", 1): True, ("1", 0): False, ("2", 1): False, ("2", 0): True}


def test_a_version_shows_everything_that_is_known_of_it(manager: Manager, database: Database) -> None:
    facts: dict[str, Any] = {
        "train_output": {"weights": "w"},
        "metrics": {"f1": 0.5},
        "trained_on": {"tasks": 3},
        "duration": 1.5,
        "job_id": "job",
    }
    version = publish(database, **facts)
    shown = manager.show_version("1", "1")
    assert shown == manager.show_version("1", version.name)
    assert (shown.train_output, shown.metrics, shown.trained_on) == (
        {"weights": "w"},
        {"f1": 0.5},
        {"tasks": 3},
    )
    assert shown.values == {"a": 1, "model_version": version.name}
    assert (shown.parent, shown.duration, shown.job, shown.active) == (0, 1.5, "job", False)
    assert msgspec.json.encode(shown)


def test_no_token_of_label_studio_is_shown(manager: Manager, database: Database) -> None:
    database.write(projects.save, "1", access_token="very-secret")
    publish(database)
    assert "very-secret" not in str([manager.list_versions(), manager.show_version("1", "1")])


@pytest.mark.parametrize("ask", ["show_version", "activate_version", "delete_version"])
def test_a_version_that_does_not_exist_is_said_not_to(manager: Manager, ask: str) -> None:
    with pytest.raises(NotFound, match="Project 1 has no version gpt"):
        getattr(manager, ask)("1", "gpt")
    with pytest.raises(NotFound, match="Project 9 has no version 0; it has none at all"):
        getattr(manager, ask)("9", "0")


def test_activating_and_going_back(manager: Manager, database: Database) -> None:
    publish(database)
    assert manager.activate_version("1", "1").active is True
    assert manager.activate_version("1", "0").active is True
    assert manager.show_version("1", "1").active is False


def test_a_deleted_version_is_gone_with_its_values_and_files(
    manager: Manager, database: Database, tmp_path: Path
) -> None:
    workdir = trained(database, tmp_path)
    manager.delete_version("1", "1")
    assert not workdir.exists()
    assert [one.number for one in manager.list_versions("1")] == [0]
    assert database.read(values.items, "1", 1) == {}


def test_what_may_not_be_deleted_keeps_its_files(manager: Manager, database: Database, tmp_path: Path) -> None:
    workdir = trained(database, tmp_path)
    activate(database, 1)
    with pytest.raises(RequestError, match="activate another first"):
        manager.delete_version("1", "1")
    with pytest.raises(RequestError, match="untrained"):
        manager.delete_version("1", "0")
    assert workdir.is_dir()
    assert len(manager.list_versions("1")) == 2


def test_files_that_a_copy_in_another_project_lives_in_stay_until_the_last_of_both_is_deleted(
    manager: Manager, database: Database, tmp_path: Path
) -> None:
    workdir = trained(database, tmp_path)
    activate(database, 1)
    database.write(projects.duplicate_model, "1", "2")
    activate(database, 0)
    manager.delete_version("1", "1")
    assert (workdir / "weights").is_file()
    manager.delete_version("2", "1")
    assert not workdir.exists()
