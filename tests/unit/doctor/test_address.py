"""What Label Studio meets at a backend's address, by what it said there."""

from __future__ import annotations

import pytest

from label_studio_ml.doctor.address import Met, try_address
from label_studio_ml.doctor.findings import Findings
from tests.support.label_studio_answers import BACKEND, Answers, said


@pytest.mark.parametrize(
    ("reply", "met"),
    [
        ("not found at this path", Met.SERVER),
        ("setup fails", Met.SERVER),
        ("backend wants a password", Met.LOCK),
    ],
)
def test_an_answer_of_whatever_kind_shows_that_the_address_is_reached(reply: str, met: Met) -> None:
    findings = Findings("Label Studio")
    assert try_address(Answers(at_address=said(reply)), 3, BACKEND, findings) is met
    assert list(findings) == []


@pytest.mark.parametrize(
    ("reply", "what", "fix"),
    [
        ("local address", "refuses local addresses and never calls http://backend:9090", "ML_BLOCK_LOCAL_IP=false"),
        ("unknown host", "cannot resolve the host name 'backend'", "--url-for-label-studio"),
        ("nothing listens", "cannot reach http://backend:9090: Connection refused.", "--url-for-label-studio"),
    ],
)
def test_why_nothing_answers_is_a_problem_with_its_fix(reply: str, what: str, fix: str) -> None:
    findings = Findings("Label Studio")
    assert try_address(Answers(at_address=said(reply)), 3, BACKEND, findings) is Met.NOTHING
    (found,) = findings
    assert what in found.what
    assert fix in found.fix
