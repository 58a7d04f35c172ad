"""`label-studio-ml doctor` before our own server in trouble, as a person runs it; it leaves no marks there."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from scripts.processes import wait_until
from tests.support.in_process_backend import CONFIG, PROJECT
from tests.support.paths import BACKENDS
from tests.support.servers import ServerProcess, StartServer, run_command

Json = dict[str, Any]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A file with a labeling config."""
    path = tmp_path / "label_config.xml"
    path.write_text(CONFIG)
    return path


def found(server: ServerProcess, config: Path, *more: str, **env: str) -> dict[str, Json]:
    """The findings by the name of their check, as far as all is not well."""
    done = run_command("doctor", server.url, "--label-config", config, "--json", *more, env=env)
    assert done.stderr == ""
    said = json.loads(done.stdout)
    assert done.returncode == {"ok": 0, "warning": 0, "problem": 1}[said["status"]]
    return {one["check"]: one for one in said["findings"] if one["status"] != "ok"}


def ready(server: ServerProcess) -> None:
    with server.client() as client:
        wait_until(
            lambda: client.get("/health").json()["model"]["state"] != "loading", 60, "the model to be loaded"
        )


def rows(server: ServerProcess) -> dict[str, list[Any]]:
    """Everything in the store."""
    with sqlite3.connect(server.model_dir / "label-studio-ml.db") as store:
        tables = [name for (name,) in store.execute("select name from sqlite_master where type = 'table'")]
        return {
            name: store.execute(f'select * from "{name}"').fetchall() for name in tables if "sqlite" not in name
        }


def test_a_server_that_is_well_is_said_to_be_and_keeps_no_trace_of_the_doctor(
    start_server: StartServer, config: Path
) -> None:
    server = start_server(BACKENDS / "fourfold.py")
    ready(server)
    with server.client() as client:
        client.post("/setup", json={"project": PROJECT, "schema": CONFIG}).raise_for_status()
        before, files = rows(server), sorted(server.model_dir.rglob("*"))
        problems = {one["status"] for one in found(server, config).values()}
        assert "problem" not in problems
        state = client.get("/health").json()
    assert (state["problems"], [one["project"] for one in state["projects"]]) == ([], ["7"])
    assert rows(server) == before
    assert sorted(server.model_dir.rglob("*")) == files


def test_a_folder_is_enough_where_its_server_runs_on_this_machine(start_server: StartServer) -> None:
    server = start_server(BACKENDS / "echo.py")
    ready(server)
    done = run_command("doctor", BACKENDS / "echo.py", env={"MODEL_DIR": str(server.model_dir), "COLUMNS": "80"})
    assert done.stdout.startswith(f"The backend at {server.url}\n")
    assert "Echo is ready." in done.stdout


def test_a_locked_server_wants_its_password_and_a_webhook_secret(start_server: StartServer, config: Path) -> None:
    locked = ("--basic-auth-user", "label", "--basic-auth-pass", "studio")
    server = start_server(BACKENDS / "echo.py", *locked, "--webhook-secret", "s3cret")
    ready(server)

    without = found(server, config)
    assert without["sign-in"]["what"] == "The backend wants a user and a password."
    wrong = found(server, config, *locked[:3], "wrong")
    assert wrong["sign-in"]["what"] == "The backend refuses this user and password."

    no_secret = found(server, config, *locked)
    assert "Label Studio's webhooks carry none" in no_secret["webhook"]["what"]
    assert "label-studio-ml connect" in no_secret["webhook"]["fix"]
    wrong_secret = found(server, config, *locked, "--webhook-secret", "guessed")
    assert "refuses events with this webhook secret" in wrong_secret["webhook"]["what"]
    right = found(server, config, *locked, "--webhook-secret", "s3cret")
    assert {"sign-in", "webhook"} & {name for name, one in right.items() if one["status"] == "problem"} == set()
    from_environment = found(
        server, config, BASIC_AUTH_USER="label", BASIC_AUTH_PASS="studio", LABEL_STUDIO_ML_WEBHOOK_SECRET="guessed"
    )
    assert "webhook" in from_environment


def test_a_model_that_cannot_be_set_up_is_shown_with_the_cause(
    start_server: StartServer, config: Path, tmp_path: Path
) -> None:
    (tmp_path / "broken").touch()
    server = start_server(BACKENDS / "fragile.py", BROKEN=str(tmp_path / "broken"))
    ready(server)
    problem = found(server, config)["setup"]
    assert (problem["status"], "the weights are missing" in problem["what"]) == ("problem", True)


INVALID = """
from label_studio_ml.model import LabelStudioMLBase


class Model(LabelStudioMLBase):
    def predict(self, tasks, **kwargs):
        where = {"from_name": "sentiment", "to_name": "text", "type": "choices"}
        return [{"result": [{**where, "value": {"choices": ["Splendid"]}}]} for _ in tasks]
"""


def test_a_label_that_the_config_does_not_have_is_named(
    start_server: StartServer, config: Path, tmp_path: Path
) -> None:
    (tmp_path / "invalid.py").write_text(INVALID)
    server = start_server(tmp_path / "invalid.py")
    ready(server)
    problem = found(server, config)["predictions"]
    assert problem["status"] == "problem"
    assert "2 of 2 tasks get no prediction" in problem["what"]
    assert "Splendid" in problem["what"]
    with server.client() as client:
        assert client.get("/health").json()["problems"] == [], "failures of the throw-away project are forgotten"


def test_a_model_made_for_one_task_at_a_time_is_well_behind_this_server(
    start_server: StartServer, config: Path
) -> None:
    server = start_server(BACKENDS / "wrong_length.py")
    ready(server)
    assert {"predict", "predictions"} & set(found(server, config)) == set()


def test_a_training_that_failed_is_named_with_the_command_for_another_try(
    start_server: StartServer, config: Path, tmp_path: Path
) -> None:
    server = start_server(BACKENDS / "moody.py", LEDGER=str(tmp_path / "ledger"))
    ready(server)
    event = {
        "action": "ANNOTATION_CREATED",
        "annotation": {"id": 1, "task": 1, "result": []},
        "task": {"id": 1, "data": {"text": "raise"}},
        "project": {"id": 7, "label_config": CONFIG},
    }
    with server.client() as client:
        client.post("/setup", json={"project": PROJECT, "schema": CONFIG})
        job = client.post("/webhook", json=event).json()["job"]
        failed = {"job": job}
        wait_until(lambda: client.post("/job_status", json=failed).json()["job_status"] == "failed", 60, "the end")
    problems = found(server, config)
    assert "the labels make no sense" in problems["training"]["what"]
    assert f"label-studio-ml jobs retry {job}" in problems["training"]["fix"]
    assert "the labels make no sense" in problems["lately"]["what"]


@pytest.mark.parametrize(
    ("source", "options", "events"),
    [
        ("echo.py", (), ["PROJECT_UPDATED", "TASKS_CREATED", "TASKS_DELETED"]),
        ("moody.py", ("--train-on", "never"), ["PROJECT_UPDATED", "TASKS_CREATED", "TASKS_DELETED"]),
        (
            "trainer_generation1.py",
            (),
            [
                "PROJECT_UPDATED",
                "TASKS_CREATED",
                "TASKS_DELETED",
                "ANNOTATION_CREATED",
                "ANNOTATIONS_CREATED",
                "ANNOTATION_UPDATED",
                "ANNOTATIONS_DELETED",
            ],
        ),
    ],
)
def test_a_server_says_which_events_it_uses_to_those_who_may_know(
    start_server: StartServer, source: str, options: tuple[str, ...], events: list[str]
) -> None:
    locked = ("--basic-auth-user", "label", "--basic-auth-pass", "studio")
    server = start_server(BACKENDS / source, *options, *locked)
    ready(server)
    with server.client(("label", "studio")) as client:
        assert client.get("/health").json()["webhook_events"] == events
    with server.client() as anybody:
        assert "webhook_events" not in anybody.get("/health").json()


def test_connecting_with_a_secret_that_the_server_does_not_have_is_refused_before_anything_is_changed(
    start_server: StartServer,
) -> None:
    locked = ("--basic-auth-user", "label", "--basic-auth-pass", "studio")
    server = start_server(BACKENDS / "echo.py", *locked, "--webhook-secret", "s3cret")
    ready(server)
    nowhere = ("--label-studio-url", "http://127.0.0.1:9", "--label-studio-api-key", "f" * 40)
    done = run_command("connect", server.url, "--project", "1", *nowhere, *locked, "--webhook-secret", "guessed")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("Error: The backend refuses this webhook secret.")
    assert "--webhook-secret" in done.stderr
