"""`label-studio-ml doctor` before backends that are well, cannot set up, or say what troubles them."""

from __future__ import annotations

import pytest

from label_studio_ml.doctor.findings import Status
from tests.support.doctor_findings import bad, look, the_one
from tests.support.played_backend import Pretend, serving

pytestmark = pytest.mark.usefixtures("no_settings_from_outside")


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


# --- setup --------------------------------------------------------------------------------------------------


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


# --- what the backend says about itself ---------------------------------------------------------------------


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
