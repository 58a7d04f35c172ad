"""The audit of dependencies: a known vulnerability fails it, an unreachable service does not."""

from __future__ import annotations

from typing import Any

import pytest

from scripts import audit


def found(name: str, *vulnerabilities: dict[str, Any]) -> dict[str, Any]:
    """A package as `pip-audit -f json` reports it."""
    return {"name": name, "version": "1.0", "vulns": list(vulnerabilities)}


HOLE = {"id": "PYSEC-1", "aliases": ["CVE-1"], "fix_versions": ["1.1"], "description": "bad"}
UNKNOWN = {"name": "other", "skip_reason": "Dependency not found on PyPI"}


def test_what_is_installed_along_with_us_is_known_and_nothing_else() -> None:
    packages = audit.installed("label-studio-ml", ("", "postgresql"))
    assert {"starlette", "uvicorn", "sqlalchemy", "label-studio-sdk", "lxml", "psycopg"} <= packages.keys()
    assert not {"pytest", "mypy", "ruff", "bandit"} & packages.keys()


def test_a_vulnerability_is_reported_with_its_fix_and_what_is_unknown_is_not_counted() -> None:
    report = {
        "dependencies": [found("sound"), found("broken", HOLE, {**HOLE, "id": "X", "fix_versions": []}), UNKNOWN]
    }
    assert audit.read(report) == (
        2,
        ["broken 1.0: PYSEC-1, fixed in 1.1", "broken 1.0: X, fixed in no version yet"],
    )
    assert audit.read({}) == (0, [])


def test_a_vulnerability_that_was_accepted_for_a_reason_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "ACCEPTED", {"CVE-1": "we never call it"})
    assert audit.read({"dependencies": [found("broken", HOLE)]}) == (1, [])


@pytest.mark.parametrize(
    ("answers", "code", "said"),
    [
        ([{}, {}], 0, "NOT CHECKED"),
        ([{"dependencies": [UNKNOWN]}, {}], 0, "NOT CHECKED"),
        ([{}, {"dependencies": [found("sound"), UNKNOWN]}], 0, "No known vulnerability in 1 packages, says osv"),
        ([{"dependencies": [found("broken", HOLE)]}], 1, "broken 1.0: PYSEC-1"),
    ],
)
def test_only_a_vulnerability_fails(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    answers: list[dict[str, Any]],
    code: int,
    said: str,
) -> None:
    monkeypatch.setattr(audit, "ask", lambda service, packages: answers[audit.SERVICES.index(service)])
    assert audit.main() == code
    assert said in capsys.readouterr().out
