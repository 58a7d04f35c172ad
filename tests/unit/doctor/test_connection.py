"""How Label Studio has connected a project with a backend: what is wrong with it, and what is played of it."""

from __future__ import annotations

from typing import Any

import pytest

from label_studio_ml.doctor import connection, project
from label_studio_ml.doctor.backend import Examined
from label_studio_ml.doctor.findings import Finding, Findings, Status
from label_studio_ml.doctor.played_project import PlayedProject
from tests.support.label_studio_answers import BACKEND, Answers, backend, said, webhook


def find(api: Answers) -> tuple[connection.Connection, Findings]:
    """The connection with `BACKEND`, and what was found about it."""
    findings = Findings("Label Studio")
    found = project.read(api, 3, Findings("not of interest"))
    assert found is not None
    return connection.find(api, found, BACKEND, findings), findings


def problem(api: Answers, check: str = "connection") -> Finding:
    """The only thing that is not well."""
    _, findings = find(api)
    (found,) = [one for one in findings if one.status is not Status.OK]
    assert found.check == check
    return found


def test_a_connected_backend_is_found_by_its_address() -> None:
    others = backend("http://elsewhere:9090/other", id=2)
    found, findings = find(Answers(found_backends=[backend(f"{BACKEND}/"), others]))
    assert (found.url, found.webhook["url"]) == (BACKEND, f"{BACKEND}/webhook")
    assert [one.what for one in findings] == [f"Label Studio reaches 'Mine' ({BACKEND}): Connected."]


def test_the_only_backend_on_the_same_port_is_taken_for_it() -> None:
    seen = "http://host.docker.internal:9090"
    found, _ = find(Answers(found_backends=[backend(seen)], found_webhooks=[webhook(f"{seen}/webhook")]))
    assert (found.url, bool(found.webhook)) == (seen, True)


def test_a_project_that_is_not_connected_gets_the_command_that_connects_it() -> None:
    none = problem(Answers(found_backends=[], at_address=said("not found at this path")))
    assert none.what == f"Project 3 is not connected with {BACKEND}."
    assert none.fix == f"Run: label-studio-ml connect {BACKEND} --project 3"
    other = problem(Answers(found_backends=[backend("http://other:1")]))
    assert other.what.endswith(", but with http://other:1.")
    assert other.fix.endswith(" --replace")


def test_only_the_first_backend_of_a_project_is_asked() -> None:
    first = backend("http://other:1", id=0)
    found = problem(Answers(found_backends=[first, backend()]))
    assert "that is http://other:1" in found.what
    assert f"if {BACKEND} is meant" in found.fix


@pytest.mark.parametrize(
    ("state", "at_address", "what"),
    [
        ({"state": "DI"}, "backend wants a password", "has no user and password for 'Mine'"),
        ({"state": "ER", "error_message": said("setup wants a password")}, "", "has no user and password for"),
        ({"state": "DI"}, "not found at this path", "shows 'Mine' (http://backend:9090) as disconnected"),
        ({"state": "ER", "error_message": said("setup fails")}, "", "its setup fails: 503 Server Error"),
    ],
)
def test_why_label_studio_shows_a_backend_as_broken_is_told(
    state: dict[str, Any], at_address: str, what: str
) -> None:
    api = Answers(found_backends=[backend(**state)], at_address=said(at_address) if at_address else "")
    assert what in problem(api).what


def test_a_backend_that_knows_the_project_predicts_under_its_real_name() -> None:
    connected = backend(extra_params={"threshold": 0.5}, is_interactive=True)
    secret = webhook(headers={"X-Webhook-Secret": "s3cret"})
    found, findings = find(Answers(found_backends=[connected], found_webhooks=[secret]))
    played = connection.played(found, PlayedProject(), findings)
    assert (played.predicted, played.real_version) == ("3.1704110400", "1")
    assert (played.extra_params, played.interactive) == ({"threshold": 0.5}, True)
    assert (played.webhook_headers, played.webhook_known) == ({"X-Webhook-Secret": "s3cret"}, True)
    assert (len(played.tasks), played.is_conclusive) == (2, True)


def test_a_backend_that_is_not_connected_sees_a_throw_away_project_alone() -> None:
    found, findings = find(Answers(found_backends=[], found_tasks=[]))
    played = connection.played(found, PlayedProject(), findings)
    assert played.predicted == played.throw_away
    assert (played.tasks, played.webhook_known) == ((), False)
    assert "made-up ones are used" in list(findings)[-1].what


@pytest.mark.parametrize(
    ("of_project", "status", "what"),
    [
        ({"model_version": "Mine"}, Status.OK, "The project shows predictions of 'Mine'."),
        ({"model_version": "1"}, Status.OK, "The project shows predictions of '1'."),
        (
            {"model_version": "old"},
            Status.WARNING,
            "shows those of 'old' to annotators, not the",
        ),
        ({"model_version": ""}, Status.WARNING, "shows none to annotators"),
        ({"show_collab_predictions": False}, Status.WARNING, "does not show predictions to annotators"),
    ],
)
def test_whether_annotators_see_the_predictions_is_told(
    of_project: dict[str, Any], status: Status, what: str
) -> None:
    found, _ = find(Answers(of_project=of_project))
    findings = Findings("Label Studio")
    connection.compare(found, Examined(findings=Findings("backend")), findings, secret="")
    (shown,) = [one for one in findings if one.check == "shown"]
    assert (shown.status, what in shown.what) == (status, True)
