"""The webhook to a backend: each way in which it can be wrong."""

from __future__ import annotations

from typing import Any

import pytest

from label_studio_ml.doctor import webhook as doctor_webhook
from label_studio_ml.doctor.backend import Examined
from label_studio_ml.doctor.findings import Finding, Findings, Status
from tests.support.label_studio_answers import BACKEND, Answers, said, webhook

CONNECT = f"label-studio-ml connect {BACKEND} --project 3"


def find(api: Answers) -> tuple[dict[str, Any], list[Finding]]:
    findings = Findings("Label Studio")
    return doctor_webhook.find(api, 3, BACKEND, findings), list(findings)


def compared(found: dict[str, Any], secret: str = "", **seen: Any) -> Finding:
    findings = Findings("Label Studio")
    examined = Examined(findings=Findings("backend"), **seen)
    doctor_webhook.compare(found, examined, CONNECT, findings, secret=secret)
    (finding,) = findings
    return finding


@pytest.mark.parametrize(
    ("webhooks", "what", "fix"),
    [
        ([], "There is no webhook to http://backend:9090/webhook", CONNECT),
        ([webhook("http://other/webhook")], "There is no webhook to http://backend:9090/webhook", CONNECT),
        ([webhook(is_active=False)], "is switched off", CONNECT),
        ([webhook(send_payload=False)], "sends no payload", CONNECT),
        ([webhook(), webhook(id=2)], "every event arrives 2 times", "Remove all but one"),
    ],
)
def test_a_webhook_that_is_wrong_is_found_with_its_fix(webhooks: list[Any], what: str, fix: str) -> None:
    _, (finding,) = find(Answers(found_webhooks=webhooks))
    assert what in finding.what
    assert fix in finding.fix


def test_the_protection_against_local_addresses_is_told_once() -> None:
    api = Answers(at_webhook=said("webhook to a local address"))
    found, (finding,) = find(api)
    assert (found, finding.check) == ({}, "address")
    assert f"never sends events to {BACKEND}/webhook" in finding.what
    findings = Findings("Label Studio")
    findings.problem("address", "known already", "")
    doctor_webhook.find(api, 3, BACKEND, findings)
    assert [one.what for one in findings] == ["known already"]


def test_a_webhook_that_is_well_says_what_it_sends() -> None:
    assert compared(webhook()).what == "It is active and sends every event."
    some = webhook(send_for_all_actions=False, actions=["TASKS_CREATED", "ANNOTATION_CREATED"])
    assert compared(some, state={"webhook_events": ["TASKS_CREATED"]}).what.endswith("sends 2 kinds of events.")


def test_events_that_the_model_uses_must_not_be_left_out() -> None:
    some = webhook(send_for_all_actions=False, actions=["TASKS_CREATED"])
    finding = compared(some, state={"webhook_events": ["TASKS_CREATED", "ANNOTATION_CREATED"]})
    assert (finding.status, finding.fix) == (Status.PROBLEM, f"Run: {CONNECT}")
    assert finding.what.endswith("uses: ANNOTATION_CREATED.")


@pytest.mark.parametrize(
    ("headers", "secret", "what", "fix"),
    [
        ({}, "", "carries no credentials", "Start the backend with --webhook-secret SECRET, then run: "),
        ({"X-Webhook-Secret": "old"}, "new", "carries credentials that the backend refuses", "Run: "),
    ],
)
def test_a_webhook_that_the_backend_refuses_is_told_by_what_it_carries(
    headers: dict[str, str], secret: str, what: str, fix: str
) -> None:
    finding = compared(webhook(headers=headers), secret, webhook_refused=True)
    assert what in finding.what
    assert finding.fix == f"{fix}{CONNECT} --webhook-secret SECRET"
