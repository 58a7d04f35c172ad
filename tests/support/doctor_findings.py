"""The doctor's calls to a backend that is played, and ways to read what it finds."""

from __future__ import annotations

from typing import Any

from label_studio_ml.doctor.examine import Question, examine
from label_studio_ml.doctor.findings import Finding, Status
from label_studio_ml.wire.deadlines import Deadlines
from tests.support.in_process_backend import CONFIG

PATIENT = {"connect": 10.0, "health": 10.0, "setup": 10.0, "predict": 20.0, "webhook": 10.0, "versions": 10.0}
"""Deadlines that a busy machine keeps; a test of slowness shortens one of them."""
LOCKED: dict[str, Any] = {"user": "label", "password": "studio"}
"""A backend that wants a user and a password."""


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
