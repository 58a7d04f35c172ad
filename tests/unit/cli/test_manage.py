"""`label-studio-ml jobs …` and `versions …` on a backend that is stopped; `tests/integration` has one that runs."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection
from typer.testing import CliRunner

from label_studio_ml.cli.main import app
from label_studio_ml.cli.options import ago
from label_studio_ml.errors import BackendError, NotFound, RequestError, SourceError, UsageError
from label_studio_ml.store import jobs, projects, transitions, versions
from label_studio_ml.store.database import Database
from label_studio_ml.store.jobs import JobState
from label_studio_ml.store.versions import Version
from scripts.processes import free_port

pytestmark = pytest.mark.usefixtures("no_settings_from_outside")

ME = "me"


def run(*arguments: str | Path) -> str:
    """What the command says; its error is raised."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if result.exception is not None:
        raise result.exception
    return result.output


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A backend that has never been started."""
    folder = tmp_path / "backend"
    folder.mkdir()
    (folder / "model.py").write_text("raise RuntimeError('these commands do not import it')\n")
    return folder


@pytest.fixture
def store(folder: Path) -> Iterator[Database]:
    """The store of that backend, as a server left it that knew project 7."""
    database = Database(f"sqlite:///{folder / 'model-data' / 'label-studio-ml.db'}")
    database.migrate()
    database.write(projects.save, "7")
    yield database
    database.close()


def job(store: Database, state: JobState = JobState.QUEUED, project: str = "7") -> str:
    def change(connection: Connection) -> str:
        job_id = jobs.add(connection, project, "START_TRAINING")
        if state is not JobState.QUEUED:
            transitions.claim(connection, ME, 30)
            jobs.report(connection, job_id, ME, 0.5, {"loss": 0.25})
        if state is JobState.FAILED:
            transitions.fail(connection, job_id, ME, "fit() failed: ValueError: no", "Traceback: the whole of it")
        if state is JobState.FINISHED:
            transitions.finish(connection, job_id, ME, 1)
        return job_id

    return store.write(change)


def publish(store: Database, name: str, project: str = "7", **facts: Any) -> Version:
    version = Version(project_id=project, number=0, name="", parent=0, created_at=time.time(), **facts)
    return store.write(versions.publish, version, {"rate": 1}, author_name=name)


def state_of(store: Database, job_id: str) -> JobState:
    found = store.read(jobs.get, job_id)
    assert found is not None
    return found.state


def active(store: Database, project: str = "7") -> int:
    found = store.read(versions.active, project)
    assert found is not None
    return found.number


# --- jobs ------------------------------------------------------------------------------------------------


def test_jobs_are_listed_with_their_state_and_error_in_full_width(folder: Path, store: Database) -> None:
    failed, waiting = job(store, JobState.FAILED), job(store)
    heading, *rows = run("jobs", "list", folder).splitlines()
    assert heading.split()[:3] == ["Job", "Project", "State"]
    assert [row.split()[:4] for row in rows] == [
        [waiting, "7", "queued", "START_TRAINING"],
        [failed, "7", "failed", "START_TRAINING"],
    ]
    assert "50%" in rows[1]
    assert "loss=0.25" in rows[1]
    assert "fit() failed: ValueError: no" in rows[1]


def test_jobs_of_one_project_can_be_asked_for(folder: Path, store: Database) -> None:
    store.write(projects.save, "8")
    here, elsewhere = job(store), job(store, project="8")
    out = run("jobs", "list", folder, "--project", "8")
    assert elsewhere in out
    assert here not in out


def test_a_job_is_shown_with_its_whole_error_and_without_what_is_empty(folder: Path, store: Database) -> None:
    out = run("jobs", "show", job(store, JobState.FAILED), folder)
    shown = dict(line.split(maxsplit=1) for line in out.splitlines())
    assert shown["state"] == "failed"
    assert shown["error_detail"] == "Traceback: the whole of it"
    assert shown["created_at"].endswith(" ago")
    assert "version" not in shown


def test_what_a_job_printed_is_shown_as_it_is(folder: Path, store: Database) -> None:
    job_id = job(store, JobState.FAILED)
    assert run("jobs", "logs", job_id, folder) == ""
    log = folder / "model-data" / "jobs" / job_id / "log.txt"
    log.parent.mkdir(parents=True)
    log.write_text("loss [0.5]\nä日\n" + 300_000 * "x" + "\n")
    assert run("jobs", "logs", job_id, folder) == log.read_text()


def test_a_log_is_followed_until_the_job_is_over(
    folder: Path, store: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = job(store, JobState.STARTED)
    log = folder / "model-data" / "jobs" / job_id / "log.txt"
    log.parent.mkdir(parents=True)
    log.write_text("first\n")
    rounds = []

    def meanwhile(seconds: float) -> None:
        rounds.append(seconds)
        with log.open("a") as file:
            file.write(f"later {len(rounds)}\n")
        if len(rounds) == 3:
            store.write(transitions.finish, job_id, ME, None)

    monkeypatch.setattr("label_studio_ml.cli.jobs.time.sleep", meanwhile)
    shown = run("jobs", "logs", job_id, folder, "-f")
    assert shown == "first\nlater 1\nlater 2\nlater 3\nlater 4\n", "also what comes a moment after the end"
    assert run("jobs", "logs", job_id, folder, "--follow") == shown


def test_a_job_that_waits_is_cancelled_and_tried_again(folder: Path, store: Database) -> None:
    job_id = job(store)
    assert run("jobs", "cancel", job_id, folder) == f"Job {job_id} is cancelled.\n"
    assert state_of(store, job_id) is JobState.CANCELLED
    said = run("jobs", "retry", job_id, folder)
    (again,) = [one.id for one in store.read(jobs.recent) if one.active]
    assert said == f"Queued as job {again}.\n"


def test_a_job_that_runs_is_said_to_be_being_ended(folder: Path, store: Database) -> None:
    job_id = job(store, JobState.STARTED)
    assert run("jobs", "cancel", job_id, folder) == f"Job {job_id} is being ended.\n"
    with pytest.raises(RequestError, match="is started; only a job that is over can be tried again"):
        run("jobs", "retry", job_id, folder)


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("command", ["show", "logs", "cancel", "retry"])
def test_a_job_that_does_not_exist_is_said_not_to(folder: Path, command: str) -> None:
    with pytest.raises(NotFound, match=r"There is no job nobody\."):
        run("jobs", command, "nobody", folder)


# --- versions --------------------------------------------------------------------------------------------


def test_versions_are_listed_newest_first_and_the_one_that_predicts_has_a_star(
    folder: Path, store: Database
) -> None:
    publish(store, "bert", metrics={"f1": 0.8125}, trained_on={"tasks": 12}, duration=3.25)
    store.write(versions.activate, "7", 1)
    store.write(
        versions.publish,
        Version(project_id="7", number=0, name="", created_at=time.time() + 5),
        {},
        author_name="worse",
        kept="f1 is 0.5, which is not >= 0.8125 (f1>=active)",
    )
    heading, worse, bert, untrained = run("versions", "list", folder).splitlines()
    assert heading.split() == [
        "Project",
        "Number",
        "Version",
        "State",
        "When",
        "Took",
        "Tasks",
        "Metrics,",
        "remark",
    ]
    assert worse.split()[:4] == ["7", "2", "worse", "kept"]
    assert worse.endswith("f1 is 0.5, which is not >= 0.8125 (f1>=active)")
    assert bert.split()[:5] == ["*", "7", "1", "bert", "ready"]
    assert bert.rstrip().endswith("f1=0.8125")
    assert "3.2 s" in bert
    assert " 12 " in bert
    assert untrained.split()[:3] == ["7", "0", "0.0.1"]


def test_a_version_is_shown_as_json(folder: Path, store: Database) -> None:
    publish(store, "bert", train_output={"weights": "w"})
    shown = json.loads(run("versions", "show", "bert", folder))
    assert (shown["number"], shown["train_output"], shown["values"]["rate"]) == (1, {"weights": "w"}, 1)
    assert shown == json.loads(run("versions", "show", "1", folder))


def test_an_older_version_is_activated_for_the_next_start(folder: Path, store: Database) -> None:
    publish(store, "bert")
    publish(store, "gpt")
    assert run("versions", "activate", "gpt", folder) == "Version gpt predicts for project 7.\n"
    assert active(store) == 2
    assert run("versions", "activate", "1", folder) == "Version bert predicts for project 7.\n"
    assert active(store) == 1


def test_a_version_is_deleted_and_the_one_that_predicts_is_not(folder: Path, store: Database) -> None:
    publish(store, "bert")
    publish(store, "gpt")
    run("versions", "activate", "gpt", folder)
    assert run("versions", "delete", "bert", folder) == "Version bert is deleted.\n"
    with pytest.raises(RequestError, match="activate another first"):
        run("versions", "delete", "gpt", folder)
    assert [version.number for version in store.read(versions.of_project)] == [2, 0]


def test_the_difference_of_two_versions_names_what_differs_and_nothing_else(folder: Path, store: Database) -> None:
    publish(store, "one", metrics={"f1": 0.5, "same": 1}, train_output={"long": 500 * "x"})
    publish(store, "two", metrics={"f1": 0.75, "same": 1}, train_output={})
    heading, *rows = run("versions", "diff", "one", "two", folder).splitlines()
    assert heading.split() == ["one", "two"]
    named = [row.split()[0] for row in rows if not row.startswith(" ")]
    assert "metrics.f1" in named
    assert "train_output.long" in named
    assert "metrics.same" not in named
    assert "values.rate" not in named
    (f1,) = [row for row in rows if row.startswith("metrics.f1")]
    assert f1.split() == ["metrics.f1", "0.5", "0.75"]
    assert 300 * "x" not in "".join(rows)


def test_the_project_has_to_be_named_when_there_are_several(folder: Path, store: Database) -> None:
    store.write(projects.save, "8")
    publish(store, "bert", "8")
    with pytest.raises(UsageError, match=r"Name the project with --project; this backend knows 7, 8\."):
        run("versions", "activate", "bert", folder)
    assert run("versions", "activate", "bert", folder, "--project", "8") == "Version bert predicts for project 8.\n"
    with pytest.raises(NotFound, match=r"Project 7 has no version bert"):
        run("versions", "show", "bert", folder, "--project", "7")


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("command", ["show", "activate", "delete"])
def test_a_version_that_does_not_exist_is_said_not_to(folder: Path, command: str) -> None:
    with pytest.raises(NotFound, match=r"Project 7 has no version gpt; it has 0\.0\.1"):
        run("versions", command, "gpt", folder)


# --- which backend ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [("jobs", "list"), ("versions", "list"), ("versions", "show", "1")])
def test_a_backend_that_was_never_started_is_said_to_have_no_store_and_none_is_made(
    folder: Path, command: tuple[str, ...]
) -> None:
    with pytest.raises(UsageError, match=r"There is no store in .*model-data\. Has the backend ever been"):
        run(*command, folder)
    assert sorted(path.name for path in folder.iterdir()) == ["model.py"]


def test_a_folder_that_does_not_exist_is_said_not_to(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="There is no folder or script"):
        run("jobs", "list", tmp_path / "nowhere")


def test_the_backend_in_the_current_folder_is_meant_when_none_is_named(
    folder: Path, store: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = job(store)
    monkeypatch.chdir(folder)
    assert job_id in run("jobs", "list")


def test_the_model_folder_of_the_environment_is_the_one_looked_at(
    folder: Path, store: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = job(store)
    moved = tmp_path / "elsewhere"
    (folder / "model-data").rename(moved)
    monkeypatch.setenv("MODEL_DIR", str(moved))
    assert job_id in run("jobs", "list", folder)


@pytest.mark.parametrize(
    "said", ["", "{", "[]", '{"url": "http://127.0.0.1:1"}', '{"url": "http://127.0.0.1:1", "pid": "x"}', "dead"]
)
def test_word_left_by_a_server_that_is_gone_is_not_believed(folder: Path, store: Database, said: str) -> None:
    if said == "dead":
        pid = os.fork()
        if pid == 0:
            os._exit(0)
        os.waitpid(pid, 0)
        said = json.dumps({"url": "http://127.0.0.1:1", "pid": pid})
    (folder / "model-data" / "server.json").write_text(said)
    job_id = job(store)
    assert job_id in run("jobs", "list", folder)


def test_an_address_where_nobody_answers_is_told_in_one_line() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(BackendError, match=rf"The backend at {url}/? does not answer: .*refused"):
        run("jobs", "list", "--url", url)


class Website(BaseHTTPRequestHandler):
    """Something else than a backend; wants a password below /jobs/x."""

    def do_GET(self) -> None:
        self.send_response(401 if self.path.startswith("/jobs/x") else 200)
        self.end_headers()
        self.wfile.write(b"<html>")

    def log_message(self, *_arguments: Any) -> None:
        """Be quiet."""


def test_an_address_of_something_else_or_one_that_wants_a_password_is_told_in_one_line() -> None:
    with HTTPServer(("127.0.0.1", 0), Website) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        url = f"http://127.0.0.1:{server.server_address[1]}"
        try:
            with pytest.raises(BackendError, match=f"{url}/? does not look like a backend"):
                run("jobs", "list", "--url", url)
            with pytest.raises(UsageError, match="user and a password: --basic-auth-user, --basic-auth-pass"):
                run("jobs", "show", "x", "--url", url)
        finally:
            server.shutdown()
            thread.join()


def test_times_are_told_as_people_say_them() -> None:
    now = time.time()
    said = [ago(now - seconds) for seconds in (0, 59, 60, 3599, 3600, 86399, 86400, 3 * 86400)]
    assert said == [
        "0 s ago",
        "59 s ago",
        "1 minute ago",
        "59 minutes ago",
        "1 hour ago",
        "23 hours ago",
        "1 day ago",
        "3 days ago",
    ]
    assert ago(None) == ""
    assert ago(now + 90.4) in ("in 90 s", "in 91 s")
