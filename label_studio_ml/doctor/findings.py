"""What the doctor has to say: findings, each with its fix. Printing is the command's task."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from enum import Enum


class Status(str, Enum):
    """How bad a finding is."""

    OK = "ok"
    WARNING = "warning"  # works, but not well, or not for long
    PROBLEM = "problem"  # keeps predictions or trainings from happening


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that was checked."""

    about: str
    """`backend` or `Label Studio`."""
    check: str
    """The name of the check."""
    status: Status
    what: str
    """What is the case."""
    fix: str = ""
    """What to do about it; empty when all is well."""


class Findings:
    """What was found so far about one of the two sides, in the order of the checks."""

    def __init__(self, about: str) -> None:
        self.about = about
        self._all: list[Finding] = []

    def __iter__(self) -> Iterator[Finding]:
        return iter(self._all)

    def ok(self, check: str, what: str) -> None:
        """All is well."""
        self._add(check, Status.OK, what, "")

    def warning(self, check: str, what: str, fix: str) -> None:
        """It works, but not well."""
        self._add(check, Status.WARNING, what, fix)

    def problem(self, check: str, what: str, fix: str) -> None:
        """It does not work."""
        self._add(check, Status.PROBLEM, what, fix)

    def _add(self, check: str, status: Status, what: str, fix: str) -> None:
        self._all.append(Finding(about=self.about, check=check, status=status, what=what, fix=fix))


def worst(findings: list[Finding]) -> Status:
    """The worst status of all; `OK` when there is nothing."""
    found = {finding.status for finding in findings}
    return next((status for status in (Status.PROBLEM, Status.WARNING) if status in found), Status.OK)


def as_json(findings: list[Finding]) -> dict[str, object]:
    """The findings for programs."""
    return {"status": worst(findings).value, "findings": [asdict(finding) for finding in findings]}


def duration(seconds: float) -> str:
    """A time as people read it.

    >>> duration(0.0042), duration(0.94), duration(12.34)
    ('4 ms', '0.94 s', '12 s')
    """
    if seconds < 0.1:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.0f} s"
