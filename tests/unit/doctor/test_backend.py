"""`label-studio-ml doctor` before backends that are well, and the marks it leaves there: none."""

from __future__ import annotations

import pytest

from tests.support.doctor_findings import bad, look
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
