"""What was found out about a backend: for people as a table, for programs as JSON. Checks nothing itself."""

from __future__ import annotations

import contextlib
import enum
import io
import time
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

NOT_REACHED = "not reached"
"""Summary of a check that an earlier failure was in the way of."""


class Outcome(str, enum.Enum):
    """How a check ended."""

    OK = "ok"
    WARNING = "warning"  # it works, but somebody may be surprised
    FAILED = "failed"
    SKIPPED = "skipped"  # there was nothing to check, or an earlier failure was in the way


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is wrong."""

    check: str
    """The name of the check that found it."""
    message: str
    fix: str
    """What to do about it."""
    task: str = ""
    """The id of the task that it is about."""
    where: str = ""
    """The line of the author's code."""
    detail: str = ""
    """The whole traceback."""


class Check(msgspec.Struct, kw_only=True):
    """One row of the report."""

    name: str
    outcome: Outcome
    summary: str = ""
    seconds: float | None = None
    """How long the author's code took."""
    problems: list[Problem] = []


def failed(check: Check, *problems: Problem, outcome: Outcome = Outcome.FAILED) -> Check:
    """The check with problems."""
    return msgspec.structs.replace(check, outcome=outcome, problems=[*check.problems, *problems])


def skip(names: Iterable[str], why: str) -> Iterator[Check]:
    """Checks that make no sense here."""
    for name in names:
        yield Check(name=name, outcome=Outcome.SKIPPED, summary=why)


def count(number: int, noun: str) -> str:
    """A number of things.

    >>> count(1, "task"), count(2, "task")
    ('1 task', '2 tasks')
    """
    return f"{number} {noun}{'s' * (number != 1)}"


@contextlib.contextmanager
def clock(check: Check) -> Iterator[None]:
    """Take the time of what is inside the `with` block."""
    started = time.perf_counter()
    try:
        yield
    finally:
        check.seconds = time.perf_counter() - started


class Report(msgspec.Struct, kw_only=True):
    """Everything that was found out about a backend."""

    model_class: str = ""
    generation: int | None = None
    """Of fit(): what it gets, 1 the annotated tasks, 2 each event; None where nothing was trained."""
    label_config: str = ""
    """Where the labeling config comes from, as people say it."""
    tasks: int = 0
    """How many were tried."""
    checks: list[Check] = []
    tasks_per_second: float | None = None
    """Measured on a batch."""
    peak_memory: int | None = None
    """Of the whole process, in bytes."""

    @property
    def problems(self) -> list[Problem]:
        """Everything that is wrong, warnings included."""
        return [problem for check in self.checks for problem in check.problems]

    def check(self, name: str) -> Check:
        """A check by its name.

        Raises:
            KeyError: there is none of that name.
        """
        for check in self.checks:
            if check.name == name:
                return check
        raise KeyError(name)

    def is_ok(self, *, strict: bool = False) -> bool:
        """Whether nothing failed; with `strict` warnings count as failures."""
        bad = {Outcome.FAILED, Outcome.WARNING} if strict else {Outcome.FAILED}
        return not any(check.outcome in bad for check in self.checks)

    def assert_ok(self, *, strict: bool = False) -> None:
        """Raise AssertionError with the whole report unless nothing failed (with `strict`: nor was warned of)."""
        if not self.is_ok(strict=strict):
            raise AssertionError(f"the backend does not do all that Label Studio needs\n\n{self.text()}")

    def as_dict(self, *, strict: bool = False) -> dict[str, Any]:
        """The report as JSON has it."""
        content: dict[str, Any] = msgspec.to_builtins(self)
        return {"ok": self.is_ok(strict=strict), **content}

    def text(self, width: int = 100, *, ascii_only: bool = False) -> str:
        """The report as plain text; with `ascii_only` for what cannot show check marks."""
        buffer = io.StringIO()
        console = Console(file=buffer, width=width, color_system=None, highlight=False)
        console.print(self.rendered(ascii_only=ascii_only))
        text = "\n".join(line.rstrip() for line in buffer.getvalue().splitlines()) + "\n"
        return text.translate(_IN_ASCII).encode("ascii", "replace").decode() if ascii_only else text

    def rendered(self, *, ascii_only: bool = False) -> RenderableType:
        """The report in colours, as rich prints it."""
        return Group(
            self._head(), "", _table(self.checks, ascii_only), *self._problems(ascii_only), "", self._sum()
        )

    def _head(self) -> Text:
        facts = [f"generation {self.generation}"] if self.generation else []
        facts += [f"labeling config: {self.label_config}"] if self.label_config else []
        facts += [f"{self.tasks} sample task{'s' * (self.tasks != 1)}"] if self.tasks else []
        return Text.assemble((self.model_class, "bold"), *(f" · {fact}" for fact in facts))

    def _problems(self, ascii_only: bool) -> list[RenderableType]:
        shown: list[RenderableType] = []
        for check in self.checks:
            mark, style = _mark(check.outcome, ascii_only)
            for problem in check.problems:
                lines = [Text.assemble((f"{problem.check}: ", "bold"), problem.message)]
                lines += [Text(problem.where, style="dim")] if problem.where else []
                lines += [Text.assemble(("Fix: ", "bold"), problem.fix)]
                grid = Table.grid(padding=(0, 1, 0, 0))
                grid.add_column(no_wrap=True)
                grid.add_column(overflow="fold")
                grid.add_row(Text(mark, style=f"bold {style}"), Text("\n").join(lines))
                shown += ["", grid]
        return shown

    def _sum(self) -> Text:
        count = {outcome: sum(check.outcome is outcome for check in self.checks) for outcome in Outcome}
        words = {
            Outcome.OK: ("passed", "green"),
            Outcome.FAILED: ("failed", "bold red"),
            Outcome.WARNING: ("with a warning", "yellow"),
            Outcome.SKIPPED: ("skipped", "dim"),
        }
        said = [
            (f"{count[outcome]} {word}", style)
            for outcome, (word, style) in words.items()
            if count[outcome] or outcome is Outcome.FAILED
        ]
        line = Text(", ").join(Text(*pair) for pair in said)
        figures = [f"{_round(self.tasks_per_second)} tasks/s in a batch"] if self.tasks_per_second else []
        figures += [f"peak memory {self.peak_memory / 2**20:.0f} MB"] if self.peak_memory else []
        return Text.assemble(f"{len(self.checks)} checks: ", line, *(f" · {figure}" for figure in figures))


_MARKS = {
    Outcome.OK: ("✔", "ok", "green"),
    Outcome.WARNING: ("!", "!", "yellow"),
    Outcome.FAILED: ("✘", "FAIL", "red"),
    Outcome.SKIPPED: ("–", "-", "dim"),  # noqa: RUF001 - a dash that is as wide as the marks
}


_IN_ASCII = str.maketrans({"·": "-", "→": "->", "…": "..."})


def _mark(outcome: Outcome, ascii_only: bool) -> tuple[str, str]:
    sign, word, style = _MARKS[outcome]
    return word if ascii_only else sign, style


def _table(checks: list[Check], ascii_only: bool) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold", ratio=1)
    table.add_column(no_wrap=True, justify="right", style="dim")
    shown, left = _reached(checks)
    for check in shown:
        mark, style = _mark(check.outcome, ascii_only)
        quiet = "dim" if check.outcome is Outcome.SKIPPED else ""
        name = Text(check.name, style=f"bold {style}" if check.outcome is Outcome.FAILED else quiet)
        table.add_row(Text(mark, style=style), name, Text(check.summary, style=quiet), duration(check.seconds))
    if left:
        sign, style = _mark(Outcome.SKIPPED, ascii_only)
        table.add_row(Text(sign, style=style), Text(f"{left} more", style=style), Text(NOT_REACHED, style=style))
    return table


def _reached(checks: list[Check]) -> tuple[list[Check], int]:
    """The checks that were come to, and how many were not."""
    shown = [check for check in checks if check.summary != NOT_REACHED]
    return shown, len(checks) - len(shown)


def duration(seconds: float | None) -> str:
    """A time as people read it.

    >>> duration(0.0042), duration(1.5), duration(None)
    ('4.2 ms', '1.5 s', '')
    """
    if seconds is None:
        return ""
    if seconds < 1:
        return f"{_round(seconds * 1000)} ms"
    return f"{_round(seconds)} s" if seconds < 120 else f"{seconds / 60:.1f} min"


def _round(value: float) -> str:
    """Two significant digits, and all before the point."""
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"
