"""Calls for people and the command line, over a server in this process."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from label_studio_ml.api import init_app
from label_studio_ml.model import LabelStudioMLBase
from label_studio_ml.server.test_client import TestResponse
from tests.support.in_process_backend import Served, served

CALLS = [
    ("GET", "/jobs"),
    ("GET", "/jobs/x"),
    ("GET", "/jobs/x/log"),
    ("POST", "/jobs/x/cancel"),
    ("POST", "/jobs/x/retry"),
    ("GET", "/projects"),
    ("GET", "/projects/7/versions"),
    ("POST", "/projects/7/show"),
    ("POST", "/projects/7/activate"),
    ("POST", "/projects/7/remove"),
]


class Learner(LabelStudioMLBase):
    """Learns the newest choice; `Negative` makes fit() raise, a file named `broken` its constructor."""

    def setup(self) -> None:
        if self.workdir and Path(self.workdir, "broken").exists():
            raise OSError("the weights are damaged")

    def predict(self, tasks: list[dict[str, Any]], context: Any = None, **kwargs: Any) -> list[dict[str, Any]]:
        return [{"result": [], "score": (self.get("seen") or 0) / 100} for _ in tasks]

    def fit(self, event: str, data: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        choice = data["annotation"]["result"][0]["value"]["choices"][0] if "annotation" in data else ""
        if choice == "Negative":
            raise ValueError("I only learn good things")
        self.progress(1.0, loss=0.5)
        self.set("seen", (self.get("seen") or 0) + 1)
        return {"seen": self.get("seen")}


@pytest.fixture
def backend(tmp_path: Path) -> Iterator[Served]:
    with served(Learner, tmp_path) as backend:
        backend.setup()
        yield backend


def ask(backend: Served, path: str, *, body: Any = None, method: str = "") -> TestResponse:
    return backend.client.open(path, method=method or ("GET" if body is None else "POST"), json=body)


def score(backend: Served) -> int:
    """How many trainings the version behind the predictions has seen."""
    found: float = backend.predict("x")[0]["score"]
    return round(found * 100)


def trained(backend: Served, count: int = 1) -> list[dict[str, Any]]:
    """Annotations, and the versions that came of them, newest first."""
    for number in range(1, count + 1):
        backend.annotate(number)
    found: list[dict[str, Any]] = ask(backend, "/projects/7/versions").json["versions"]
    return found


# --- jobs ------------------------------------------------------------------------------------------------


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


@pytest.mark.parametrize(("method", "path"), [call for call in CALLS if call[1].startswith("/jobs/")])
def test_a_job_that_does_not_exist_is_not_found(backend: Served, method: str, path: str) -> None:
    reply = ask(backend, path, method=method)
    assert (reply.status_code, reply.json) == (404, {"error": "There is no job x."})


# --- versions --------------------------------------------------------------------------------------------


def test_versions_are_listed_newest_first_and_the_one_that_predicts_is_marked(backend: Served) -> None:
    found = trained(backend, 2)
    assert [(one["number"], one["active"]) for one in found] == [(2, True), (1, False), (0, False)]
    assert ask(backend, "/projects/8/versions").json == {"versions": []}


def test_projects_are_listed_also_those_not_heard_of_since_the_start(tmp_path: Path) -> None:
    with served(Learner, tmp_path) as backend:
        assert ask(backend, "/projects").json == {"projects": []}
        backend.setup()
        backend.setup("8.1")
        backend.predict("x", project="")
    with served(Learner, tmp_path) as backend:
        assert ask(backend, "/projects").json == {"projects": ["7", "8"]}


def test_one_version_is_shown_by_name_or_number(backend: Served) -> None:
    newest = trained(backend)[0]
    shown = [ask(backend, "/projects/7/show", body={"version": name}).json for name in ("1", newest["version"])]
    assert shown[0] == shown[1]
    assert shown[0]["train_output"] == {"seen": 1}
    assert shown[0]["values"]["seen"] == 1


def test_activating_an_older_version_makes_predictions_return_to_it(backend: Served) -> None:
    found = trained(backend, 2)
    assert score(backend) == 2
    reply = ask(backend, "/projects/7/activate", body={"version": "1"})
    assert (reply.status_code, reply.json["active"]) == (200, True)
    assert score(backend) == 1
    assert backend.setup() == found[1]["version"]
    assert ask(backend, "/projects/7/activate", body={"version": found[0]["version"]}).json["number"] == 2
    assert score(backend) == 2


def test_after_going_back_the_next_training_starts_from_there(backend: Served) -> None:
    trained(backend, 2)
    ask(backend, "/projects/7/activate", body={"version": "1"})
    backend.annotate(3)
    newest = ask(backend, "/projects/7/versions").json["versions"][0]
    assert (newest["number"], newest["parent"], newest["active"]) == (3, 1, True)
    assert score(backend) == 2


@pytest.mark.parametrize("connected", [True, False], ids=["connected", "not heard of since the start"])
def test_a_version_that_cannot_be_loaded_leaves_the_old_one_active_and_says_why(
    tmp_path: Path, connected: bool
) -> None:
    with served(Learner, tmp_path) as backend:
        backend.setup()
        found = trained(backend, 2)
    Path(found[1]["workdir"], "broken").touch()
    with served(Learner, tmp_path) as backend:
        if connected:
            assert backend.setup() == found[0]["version"]
        reply = ask(backend, "/projects/7/activate", body={"version": "1"})
        assert reply.status_code == 503
        error = reply.json["error"]
        assert error.startswith(f"Version 1 cannot be loaded, so {found[0]['version']} stays: ")
        assert error.endswith("OSError: the weights are damaged")
        assert score(backend) == 2
        assert backend.setup() == found[0]["version"]
        now = ask(backend, "/projects/7/versions").json["versions"]
    assert [(one["number"], one["active"], one["state"]) for one in now] == [
        (2, True, "ready"),
        (1, False, "failed"),
        (0, False, "ready"),
    ]
    assert now[1]["error"].endswith("the weights are damaged")


def test_a_version_is_deleted_with_its_files_but_never_the_one_that_predicts(backend: Served) -> None:
    found = trained(backend, 2)
    reply = ask(backend, "/projects/7/remove", body={"version": "2"})
    assert reply.status_code == 400
    assert "predicts for project 7; activate another first" in reply.json["error"]
    assert ask(backend, "/projects/7/remove", body={"version": "1"}).json == {"status": "ok"}
    assert not Path(found[1]["workdir"]).exists()
    assert Path(found[0]["workdir"]).is_dir()
    assert [one["number"] for one in ask(backend, "/projects/7/versions").json["versions"]] == [2, 0]


@pytest.mark.parametrize("verb", ["show", "activate", "remove"])
def test_a_version_that_does_not_exist_is_not_found_and_nothing_is_made(backend: Served, verb: str) -> None:
    reply = ask(backend, f"/projects/7/{verb}", body={"version": "gpt"})
    assert (reply.status_code, reply.json["error"]) == (404, "Project 7 has no version gpt; it has 0.0.1.")
    reply = ask(backend, f"/projects/99/{verb}", body={"version": "1"})
    assert (reply.status_code, reply.json["error"]) == (404, "Project 99 has no version 1; it has none at all.")
    assert ask(backend, "/projects/99/versions").json == {"versions": []}


@pytest.mark.parametrize("verb", ["show", "activate", "remove"])
@pytest.mark.parametrize("body", [{}, {"version": 1}, {"version": None}, [], "1"], ids=json.dumps)
def test_a_body_that_names_no_version_is_refused_with_the_field(backend: Served, verb: str, body: Any) -> None:
    reply = ask(backend, f"/projects/7/{verb}", body=body)
    assert reply.status_code == 400
    assert reply.json["error"]


# --- who may ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("method", "path"), CALLS)
def test_none_of_it_is_open_to_those_without_the_password(tmp_path: Path, method: str, path: str) -> None:
    app = init_app(Learner, "user", "pass", model_dir=str(tmp_path))
    with app.test_client() as client:
        body = {"version": "1"} if method == "POST" else None
        assert client.open(path, method=method, json=body).status_code == 401
        assert client.open(path, method=method, json=body, auth=("user", "wrong")).status_code == 401
        assert client.open(path, method=method, json=body, auth=("user", "pass")).status_code in (200, 404)


def test_the_secret_of_webhooks_does_not_open_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABEL_STUDIO_ML_WEBHOOK_SECRET", "hook")
    with init_app(Learner, "user", "pass", model_dir=str(tmp_path)).test_client() as client:
        for method, path in CALLS:
            assert client.open(path, method=method, headers={"X-Webhook-Secret": "hook"}).status_code == 401


def test_the_files_of_a_deleted_project_go_and_those_of_others_stay(backend: Served, tmp_path: Path) -> None:
    trained(backend)
    (folder,) = tmp_path.rglob("versions")
    ask(backend, "/duplicate_model", body={"project_src": "7", "project_dst": "8"})
    used = {path.name for path in (folder / "7").iterdir()}
    backend.annotate(2)
    newer = {path.name for path in (folder / "7").iterdir()} - used
    (folder / "9").mkdir()
    assert newer
    for project in ("7", "", "..", "%"):
        assert ask(backend, "/delete", body={"project": project}).status_code == 200
    assert sorted(path.name for path in folder.iterdir()) == ["7", "9"]
    assert {path.name for path in (folder / "7").iterdir()} == used, "the copied model still needs its files"
    assert list((folder.parent / "jobs").iterdir()) == []
