"""Label Studio's error replies, as it sent them, and what each is taken for."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from label_studio_ml.label_studio.sentences import Meaning, cause, detail_of, meaning
from tests.support.paths import REFUSALS

RECORDED: dict[str, dict[str, Any]] = json.loads(REFUSALS.read_text())
EXPECTED = {
    "local address": Meaning.LOCAL_ADDRESS,
    "webhook to a local address": Meaning.LOCAL_ADDRESS,
    "legacy tokens are switched off": Meaning.LEGACY_TOKENS_OFF,
    "backend wants a password": Meaning.WANTS_PASSWORD,
    "setup wants a password": Meaning.WANTS_PASSWORD,
    "setup fails": Meaning.SETUP_FAILED,
    "setup is slow": Meaning.SETUP_FAILED,
    "not found at this path": Meaning.NO_SUCH_PATH,
    "unknown host": Meaning.UNKNOWN_HOST,
    "nothing listens": Meaning.UNREACHABLE,
    "health is slow": Meaning.UNREACHABLE,
    "health never answers": Meaning.UNREACHABLE,
    "webhook with a wrong field": Meaning.OTHER,
    "no such project": Meaning.OTHER,
    "backend of no such project": Meaning.OTHER,
    "wrong token": Meaning.OTHER,
    "no token": Meaning.OTHER,
}
CAUSES = {
    "nothing listens": "Connection refused",
    "unknown host": "Can't resolve hostname no-such-host.invalid",
    "health is slow": "no answer in time",
    "health never answers": "no answer in time",
    "setup is slow": "no answer in time",
}


def detail(name: str) -> str:
    recorded = RECORDED[name]
    return detail_of(httpx.Response(recorded["status"], json=recorded["body"]))


@pytest.mark.parametrize(("name", "expected"), EXPECTED.items())
def test_a_reply_is_taken_for_what_it_means(name: str, expected: Meaning) -> None:
    assert meaning(detail(name)) is expected


@pytest.mark.parametrize(("name", "expected"), CAUSES.items())
def test_the_cause_is_found_in_the_sentence(name: str, expected: str) -> None:
    assert cause(detail(name)) == expected


def test_every_recorded_reply_is_looked_at() -> None:
    assert set(EXPECTED) == set(RECORDED)


def test_every_meaning_that_has_signs_was_recorded() -> None:
    assert set(EXPECTED.values()) == set(Meaning)


def test_only_the_field_that_is_wrong_is_named() -> None:
    assert detail("webhook with a wrong field").startswith("send_payload: ")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("<html>A shop</html>", "an HTML page"),
        ("Bad gateway", "Bad gateway"),
        ('["a", "b"]', "['a', 'b']"),
        ('{"error": "x"}', "{'error': 'x'}"),
    ],
)
def test_what_is_not_label_studios_form_is_told_as_it_is(body: str, said: str) -> None:
    assert detail_of(httpx.Response(502, text=body)) == said
