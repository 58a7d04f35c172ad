"""`label-studio-ml doctor` before backends that misbehave in one way each: found, and the right fix named."""

from __future__ import annotations

import json
import os
import socket
import ssl
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trustme
from typer.testing import CliRunner, Result

from label_studio_ml.cli.main import app
from label_studio_ml.doctor.backend import Examination
from label_studio_ml.doctor.caller import Caller
from label_studio_ml.doctor.examine import Question, examine
from label_studio_ml.doctor.findings import Finding, Status
from label_studio_ml.doctor.scene import Scene, sample_tasks
from label_studio_ml.errors import SourceError, UsageError
from label_studio_ml.protocol.deadlines import Deadlines
from scripts.processes import free_port
from tests.inprocess import CONFIG, region
from tests.pretend import Pretend, serving

PATIENT = {"connect": 10.0, "health": 10.0, "setup": 10.0, "predict": 20.0, "webhook": 10.0, "versions": 10.0}
"""Deadlines that a busy machine keeps; a test of slowness shortens one of them."""


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("LABEL_STUDIO") or name in ("MODEL_DIR", "BASIC_AUTH_USER", "BASIC_AUTH_PASS"):
            monkeypatch.delenv(name)


def look(
    url: str, *, config: str = CONFIG, deadlines: dict[str, float] | None = None, **more: Any
) -> list[Finding]:
    """Examine the backend at an address."""
    question = Question(
        url=url, label_config=config, deadlines=Deadlines(**{**PATIENT, **(deadlines or {})}), **more
    )
    return examine(question)


def bad(findings: list[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.status is not Status.OK]


def the_one(findings: list[Finding]) -> Finding:
    """The only thing that is not well."""
    found = bad(findings)
    assert len(found) == 1, findings
    return found[0]


def test_a_backend_that_does_all_it_should_is_said_to_be_well() -> None:
    with serving(Pretend()) as backend:
        findings = look(backend.url)
    assert bad(findings) == []
    assert [one.check for one in findings] == [
        "health",
        "sign-in",
        "setup",
        "predict",
        "predictions",
        "versions",
        "versions page",
        "webhook",
    ]
    assert all(one.fix == "" for one in findings)


def test_a_backend_of_an_older_package_is_well_without_the_calls_it_never_had() -> None:
    old = Pretend(missing={"/versions", "/delete", "/jobs", "/is_training", "/job_status"})
    old.answers["/predict"] = lambda body: {"results": [{"result": [], "score": 0.1} for _ in body["tasks"]]}
    with serving(old) as backend:
        assert bad(look(backend.url)) == []


def test_nothing_is_sent_about_a_real_project_no_event_that_trains_and_all_is_deleted_at_the_end() -> None:
    with serving(Pretend()) as backend:
        look(backend.url)
    named = [body["project"] for _, path, body in backend.calls if path in ("/setup", "/predict", "/delete")]
    assert len(set(named)) == 1
    number = int(named[0].partition(".")[0])
    assert number > 900_000_000
    (event,) = [body for _, path, body in backend.calls if path == "/webhook"]
    assert (event["action"], event["project"]["id"], event["tasks"]) == ("TASKS_DELETED", number, [])
    assert backend.calls[-1][1] == "/delete"


def test_the_event_is_another_one_where_the_model_trains_on_deleted_tasks() -> None:
    pretend = Pretend()
    pretend.answers["/health"] = lambda _: {"status": "UP", "train_events": ["TASKS_DELETED", "ANNOTATION_CREATED"]}
    with serving(pretend) as backend:
        look(backend.url)
    assert [body["action"] for _, path, body in backend.calls if path == "/webhook"] == ["PROJECT_UPDATED"]


# --- not reached -------------------------------------------------------------------------------------------


def test_where_nothing_listens_it_says_so_and_to_start_it() -> None:
    found = the_one(look(f"http://127.0.0.1:{free_port()}"))
    assert (found.check, found.status) == ("reachable", Status.PROBLEM)
    assert "connection refused" in found.what
    assert "Start the backend" in found.fix


def test_a_name_that_nobody_has_is_said_to_be_wrong() -> None:
    found = the_one(look("http://no-such-host.invalid:9090"))
    assert "no computer named 'no-such-host.invalid'" in found.what
    assert "Correct the name" in found.fix


def test_a_server_that_never_answers_is_told_from_a_slow_one() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("label_studio_ml.doctor.backend.PATIENCE", 0.2)
            found = the_one(look(url, deadlines={"health": 0.1}))
    assert "did not answer within 0.1 s" in found.what
    assert "firewall" in found.fix


def test_https_where_the_server_speaks_http_names_the_other_address() -> None:
    with serving(Pretend()) as backend:
        found = the_one(look(backend.url.replace("http://", "https://")))
        assert "does not speak TLS" in found.what
        assert f"Write {backend.url} instead" in found.fix


def test_http_where_the_server_speaks_tls_names_the_other_address() -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("localhost").configure_cert(tls)
    with serving(Pretend(), tls) as backend:
        found = the_one(look(backend.url.replace("https://", "http://")))
        assert found.check == "reachable"
        assert f"If it speaks TLS, write {backend.url}" in found.fix


def test_a_certificate_that_nobody_trusts_is_named() -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("localhost").configure_cert(tls)
    with serving(Pretend(), tls) as backend:
        found = the_one(look(backend.url))
    assert "is not trusted" in found.what
    assert "known authority" in found.fix


@pytest.mark.parametrize("path", ["/health", "/predict", "/some/where"])
def test_a_path_too_much_is_taken_away(path: str) -> None:
    with serving(Pretend(missing={f"{path}/health", f"{path.rpartition('/')[0]}/health"} - {"/health"})) as backend:
        found = the_one(look(backend.url + path))
        assert found.check == "reachable"
        assert f"Use the address {backend.url}." in found.fix


def test_a_path_too_little_is_asked_for() -> None:
    with serving(Pretend(prefix="/my-model")) as backend:
        found = the_one(look(backend.url))
        assert "has no /health" in found.what
        assert "the path that a proxy puts before" in found.fix
        assert bad(look(f"{backend.url}/my-model")) == []


def test_a_redirect_is_named_with_where_it_goes() -> None:
    with serving(Pretend(redirect="https://elsewhere.example")) as backend:
        found = the_one(look(backend.url))
    assert "redirects to https://elsewhere.example" in found.what
    assert found.fix == "Give Label Studio the address https://elsewhere.example."


# --- health and sign-in ------------------------------------------------------------------------------------


def test_a_slow_health_call_is_found_with_the_time_it_takes() -> None:
    with serving(Pretend(slow={"/health": 0.5})) as backend:
        found = the_one(look(backend.url, deadlines={"health": 0.2}))
    assert (found.check, found.status) == ("health", Status.PROBLEM)
    assert "Label Studio gives up after 0.2 s" in found.what
    assert "at once" in found.fix


def test_a_health_call_that_is_not_json_is_something_else_than_a_backend() -> None:
    with serving(Pretend(answers={"/health": lambda _: "<html>Welcome</html>"})) as backend:
        found = the_one(look(backend.url))
    assert "an HTML page, not with JSON" in found.what
    assert "address of the backend itself" in found.fix


def test_a_health_call_that_fails_is_shown_with_what_it_says() -> None:
    with serving(Pretend(answers={"/health": lambda _: (502, "Bad gateway")})) as backend:
        found = the_one(look(backend.url))
    assert "502: Bad gateway" in found.what
    assert "proxy" in found.fix


LOCKED: dict[str, Any] = {"user": "label", "password": "studio"}


@pytest.mark.parametrize("open_paths", [{"/health"}, set()], ids=["all but health locked", "all locked"])
def test_a_missing_password_is_asked_for(open_paths: set[str]) -> None:
    with serving(Pretend(**LOCKED, open_paths=open_paths)) as backend:
        found = the_one(look(backend.url))
    assert (found.check, found.what) == ("sign-in", "The backend wants a user and a password.")
    assert "--basic-auth-user and --basic-auth-pass" in found.fix
    assert "label-studio-ml connect" in found.fix


@pytest.mark.parametrize("open_paths", [{"/health"}, set()], ids=["all but health locked", "all locked"])
def test_a_wrong_password_is_told_from_a_missing_one(open_paths: set[str]) -> None:
    with serving(Pretend(**LOCKED, open_paths=open_paths)) as backend:
        found = the_one(look(backend.url, user="label", password="wrong"))
    assert (found.check, found.what) == ("sign-in", "The backend refuses this user and password.")
    assert "BASIC_AUTH_USER" in found.fix


def test_a_password_that_nobody_asks_for_is_a_warning() -> None:
    with serving(Pretend()) as backend:
        found = the_one(look(backend.url, user="label", password="studio"))
    assert (found.check, found.status) == ("sign-in", Status.WARNING)
    assert "Start it with --basic-auth-user" in found.fix


# --- setup -------------------------------------------------------------------------------------------------


def test_a_setup_without_a_version_is_found() -> None:
    with serving(Pretend(answers={"/setup": lambda _: {"status": "ok"}})) as backend:
        found = the_one(look(backend.url))
    assert (found.check, found.status) == ("setup", Status.PROBLEM)
    assert "names no model_version" in found.what
    assert 'self.set("model_version"' in found.fix


def test_a_slow_setup_is_found_with_the_time_it_takes() -> None:
    with serving(Pretend(slow={"/setup": 0.5})) as backend:
        found = the_one(look(backend.url, deadlines={"setup": 0.2}))
    assert "Label Studio gives up after 0.2 s and does not connect" in found.what
    assert "not in /setup" in found.fix


def test_a_setup_that_fails_is_shown_with_what_it_says() -> None:
    pretend = Pretend(answers={"/setup": lambda _: (503, {"error": "the weights are missing"})})
    with serving(pretend) as backend:
        found = the_one(look(backend.url))
    assert (found.check, found.status) == ("setup", Status.PROBLEM)
    assert "503: the weights are missing" in found.what


def test_a_setup_that_fails_with_a_made_up_config_asks_for_the_real_one() -> None:
    with serving(Pretend(answers={"/setup": lambda _: (500, {"error": "no <Image> here"})})) as backend:
        found = the_one(look(backend.url, config=""))
    assert found.status is Status.WARNING
    assert "--label-config FILE" in found.fix


# --- predictions -------------------------------------------------------------------------------------------


def predicting(make: Callable[[Any], Any]) -> Pretend:
    """A backend whose results are made from the tasks."""
    return Pretend(answers={"/predict": lambda body: {"results": make(body["tasks"])}})


@pytest.mark.parametrize(
    ("results", "said"), [(1, "one by one"), (3, "throws all of them away"), (0, "throws all of them away")]
)
def test_a_wrong_number_of_results_is_found_with_what_label_studio_makes_of_it(results: int, said: str) -> None:
    with serving(predicting(lambda _: [{"result": []}] * results)) as backend:
        found = the_one(look(backend.url))
    assert (found.check, found.status) == ("predict", Status.PROBLEM)
    assert f"{results} result" in found.what
    assert said in found.what
    assert "exactly one item for each task" in found.fix


@pytest.mark.parametrize("reply", [{"predictions": []}, {"results": None}, "[]", "<html>"])
def test_a_reply_without_results_is_found(reply: Any) -> None:
    with serving(Pretend(answers={"/predict": lambda _: reply})) as backend:
        found = the_one(look(backend.url))
    assert '{"results": [...]}' in found.what


def test_a_failing_predict_is_shown_with_what_it_says() -> None:
    with serving(Pretend(answers={"/predict": lambda _: (500, {"error": "CUDA out of memory"})})) as backend:
        found = the_one(look(backend.url))
    assert "500: CUDA out of memory" in found.what
    assert "--debug" in found.fix


def test_a_predict_that_takes_too_long_is_found() -> None:
    with serving(Pretend(slow={"/predict": 5})) as backend:
        found = the_one(look(backend.url, deadlines={"predict": 0.2}))
    assert (found.check, found.status) == ("predict", Status.PROBLEM)
    assert "did not answer within 0.2 s for 2 tasks" in found.what
    assert "Make predict() faster" in found.fix


def test_a_slow_predict_says_how_many_tasks_may_be_selected() -> None:
    with serving(Pretend(slow={"/predict": 0.4})) as backend:
        found = the_one(look(backend.url, deadlines={"predict": 15}))
    assert (found.check, found.status) == ("predict", Status.WARNING)
    assert "tasks at a time" in found.what
    assert "Retrieve predictions" in found.fix


INVALID: dict[str, Any] = {
    "a label that the config does not have": {"result": [region("Great")], "score": 0.5},
    "a control that the config does not have": {"result": [{**region(), "from_name": "mood"}]},
    "a type that the control does not have": {"result": [{**region(), "type": "labels"}]},
    "a score that is not a number": {"result": [], "score": "high"},
    "no result": {"score": 0.5},
    "no object": "Positive",
}


@pytest.mark.parametrize("prediction", INVALID.values(), ids=INVALID.keys())
def test_a_prediction_that_label_studio_would_refuse_is_found(prediction: Any) -> None:
    with serving(predicting(lambda tasks: [[prediction] for _ in tasks])) as backend:
        found = the_one(look(backend.url))
    assert (found.check, found.status) == ("predictions", Status.PROBLEM)
    assert "refuse the whole batch: task 1" in found.what
    assert "from the labeling config" in found.fix


def test_tasks_without_a_prediction_are_a_warning() -> None:
    with serving(predicting(lambda _: [{"result": [region()]}, []])) as backend:
        found = the_one(look(backend.url))
    assert (found.check, found.status) == ("predictions", Status.WARNING)
    assert "1 of 2 tasks get no prediction" in found.what


@pytest.mark.parametrize("version", ["another", None])
def test_predictions_of_another_version_than_setup_announces_are_found(version: str | None) -> None:
    with serving(predicting(lambda tasks: [{"result": [], "model_version": version}] * len(tasks))) as backend:
        found = the_one(look(backend.url))
    assert (found.check, found.status) == ("versions", Status.PROBLEM)
    assert "'pretend-1'" in found.what
    assert "duplicates" in found.what
    assert "in one place" in found.fix


def test_a_version_that_is_named_once_the_model_is_loaded_is_well() -> None:
    names = iter(["0.0.1", "pretend-1"])
    with serving(Pretend(answers={"/setup": lambda _: {"model_version": next(names)}})) as backend:
        assert bad(look(backend.url)) == []


@pytest.mark.parametrize("answer", [{"versions": ["older"]}, {"versions": None}, (500, {"error": "no"})])
def test_a_versions_call_that_does_not_fit_is_a_warning(answer: Any) -> None:
    with serving(Pretend(answers={"/versions": lambda _: answer})) as backend:
        found = the_one(look(backend.url))
    assert (found.check, found.status) == ("versions page", Status.WARNING)


def clicked(pretend: Pretend) -> list[Finding]:
    """What is found where a project has interactive preannotations on."""
    with serving(pretend) as backend:
        caller = Caller(backend.url, deadlines=Deadlines(**PATIENT))
        scene = Scene(label_config=CONFIG, config_given=True, tasks=sample_tasks(CONFIG, 2), interactive=True)
        found = list(Examination(caller, scene).run())
        caller.close()
        return found


def test_a_click_is_answered_with_one_prediction_or_it_is_a_warning() -> None:
    contexts = []

    def predict(body: Any) -> Any:
        contexts.append(body["params"]["context"])
        return {"results": [] if contexts[-1] else [{"result": []} for _ in body["tasks"]]}

    assert bad(clicked(Pretend())) == []
    found = the_one(clicked(Pretend(answers={"/predict": predict})))
    assert (found.check, found.status) == ("interactive", Status.WARNING)
    assert "a made-up click gets no prediction" in found.what
    assert "--no-interactive" in found.fix
    assert contexts[0] is None
    assert contexts[1]["result"][0]["from_name"] == "sentiment"


# --- events ------------------------------------------------------------------------------------------------


def test_a_slow_webhook_is_found_because_events_are_dropped() -> None:
    with serving(Pretend(slow={"/webhook": 0.5})) as backend:
        found = the_one(look(backend.url, deadlines={"webhook": 0.2}))
    assert (found.check, found.status) == ("webhook", Status.PROBLEM)
    assert "drops the event for good" in found.what
    assert "Do not train inside the webhook" in found.fix


def test_a_failing_webhook_is_found() -> None:
    with serving(Pretend(answers={"/webhook": lambda _: (500, "Internal Server Error")})) as backend:
        found = the_one(look(backend.url))
    assert "the event is lost" in found.what
    assert "500: Internal Server Error" in found.what


def test_a_webhook_that_wants_credentials_names_the_command_that_installs_them() -> None:
    with serving(Pretend(**LOCKED)) as backend:
        found = the_one(look(backend.url, user="label", password="studio"))
        assert (found.check, found.status) == ("webhook", Status.PROBLEM)
        assert "--webhook-secret SECRET" in found.fix
        assert f"label-studio-ml connect {backend.url}" in found.fix


# --- what the backend says about itself --------------------------------------------------------------------


def test_a_failed_store_and_model_and_training_are_told() -> None:
    health = {
        "status": "UP",
        "model": {"state": "failed", "error": "No module named 'torch'"},
        "store": {"state": "failed", "error": "disk full"},
        "problems": [{"project": "3", "task": "9", "message": "no such file"}],
        "model_dir": "/data",
    }
    jobs = {"jobs": [{"job": "j2", "state": "failed", "error": "no labels"}, {"job": "j1", "state": "finished"}]}
    with serving(Pretend(answers={"/health": lambda _: health, "/jobs": lambda _: jobs})) as backend:
        found = {one.check: one for one in bad(look(backend.url))}
    assert set(found) == {"model", "store", "lately", "training"}
    assert "No module named 'torch'" in found["model"].what
    assert "/data" in found["store"].fix
    assert "no such file (project 3)" in found["lately"].what
    assert "label-studio-ml jobs retry j2" in found["training"].fix


# --- the command -------------------------------------------------------------------------------------------


def command(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["doctor", *map(str, arguments)], env={"COLUMNS": "80"})


def test_the_exit_status_tells_how_bad_it_is(tmp_path: Path) -> None:
    (tmp_path / "config.xml").write_text(CONFIG)
    given = ("--label-config", tmp_path / "config.xml", "--json")
    with serving(Pretend(answers={"/versions": lambda _: {"versions": []}})) as backend:
        warned = command(backend.url, *given)
    assert warned.exit_code == 0
    said = json.loads(warned.output)
    assert said["status"] == "warning"
    assert {"about", "check", "status", "what", "fix"} == set(said["findings"][0])
    failed = command(backend.url, *given)
    assert (failed.exit_code, json.loads(failed.output)["status"]) == (1, "problem")


def test_what_people_read_fits_the_terminal_and_loses_nothing() -> None:
    done = command(f"http://127.0.0.1:{free_port()}")
    assert done.exit_code == 1
    lines = done.output.splitlines()
    assert lines[0].startswith("The backend at http://127.0.0.1:")
    assert lines[-1] == "1 problem."
    assert max(map(len, lines)) <= 80
    assert "→ Start the backend, and check the port." in done.output


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("localhost:9090", "write http://localhost:9090"),
        ("ftp://localhost", "must begin with http:// or https://"),
    ],
)
def test_an_address_without_its_beginning_is_told_how_to_write_it(target: str, said: str) -> None:
    done = command(target)
    assert isinstance(done.exception, UsageError)
    assert said in str(done.exception)


def test_a_folder_whose_server_does_not_run_is_told_how_to_start_it(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text("raise RuntimeError('this command does not import it')\n")
    done = command(tmp_path)
    assert isinstance(done.exception, UsageError)
    assert f"label-studio-ml start {tmp_path}" in str(done.exception)
    assert isinstance(command(tmp_path / "nowhere").exception, SourceError)


def test_the_labeling_config_beside_the_model_is_used_and_a_broken_one_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text("")
    (tmp_path / "label_config.xml").write_text(CONFIG)
    (tmp_path / "model-data").mkdir()
    with serving(Pretend()) as backend:
        said = {"url": backend.url, "pid": os.getpid()}
        (tmp_path / "model-data" / "server.json").write_text(json.dumps(said))
        command(tmp_path)
        schemas = {body["schema"] for _, path, body in backend.calls if path == "/setup"}
        assert schemas == {CONFIG}
        (tmp_path / "label_config.xml").write_text("<View><Choices")
        assert "labeling config is not understood" in str(command(tmp_path).exception)
        assert "cannot be read" in str(command(backend.url, "--label-config", tmp_path / "none.xml").exception)


def test_a_project_without_label_studios_address_is_refused() -> None:
    done = command("http://127.0.0.1:1", "--project", "3")
    assert "--label-studio-url" in str(done.exception)


def test_no_thread_is_left_behind() -> None:
    before = threading.active_count()
    with serving(Pretend()) as backend:
        look(backend.url)
    assert threading.active_count() == before
