"""The checks of predictions: one by one, together, and after a click."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Any

from ..errors import one_line
from ..stage import samples
from ..wire import results
from ..wire.deadlines import Deadlines
from . import fixes, json_values
from .comparison import difference, regions
from .report import Check, Outcome, Problem, count, duration, failed, skip
from .under_test import Asked, BackendUnderTest

Json = dict[str, Any]

DEADLINES = Deadlines()
NAMES = ("Predict", "Valid", "JSON", "Batch", "Batch = singles", "Interactive")


@dataclass(frozen=True, kw_only=True)
class Predicted:
    """What came of the requests."""

    singles: list[Asked]
    """Each task alone."""
    batch: Asked | None
    """All tasks together; None where there is only one."""
    clicked: int
    """Regions that clicks brought."""
    tasks_per_second: float | None
    """In a batch."""


def run(backend: BackendUnderTest) -> Generator[Check, None, Predicted]:
    """All of them, in order."""
    singles = [backend.ask([task]) for task in backend.tasks]
    yield from _alone(backend, singles)
    batch, again = None, None
    if len(backend.tasks) > 1:
        batch, again = backend.ask(backend.tasks), backend.ask(backend.tasks)
        yield from _together(backend, singles, batch, again)
    else:
        yield from skip(("Batch", "Batch = singles"), "only one task")
    check, clicked = _click(backend, singles)
    yield check
    speed = len(backend.tasks) / again.seconds if again and again.seconds > 0 else None
    return Predicted(singles=singles, batch=batch, clicked=clicked, tasks_per_second=speed)


# --- one by one -----------------------------------------------------------------------------------------------


def _alone(backend: BackendUnderTest, singles: list[Asked]) -> Iterator[Check]:
    found = [
        problem
        for task, asked in zip(backend.tasks, singles, strict=True)
        for problem in _problems(backend, task, asked)
    ]
    raised, invalid, unwritable = (
        [one for one in found if one.check == name] for name in ("Predict", "Valid", "JSON")
    )
    good = [asked for asked in singles if not asked.problems and any(asked.predictions)]
    slowest = max(asked.seconds for asked in singles)
    check = Check(name="Predict", outcome=Outcome.OK, seconds=sum(asked.seconds for asked in singles))
    check.summary = f"{len(good)} of {count(len(backend.tasks), 'task')}, {duration(slowest)} at most"
    if raised:
        check = failed(check, *raised)
    elif slowest > DEADLINES.predict:
        message = f"one task takes {duration(slowest)}, and Label Studio waits {DEADLINES.predict:g} s"
        check = failed(check, backend.problem("Predict", message, fixes.SLOW), outcome=Outcome.WARNING)
    yield check
    fitting = sum(regions(asked.predictions) for asked in good)
    fit = f"{count(fitting, 'region')} {'fits' if fitting == 1 else 'fit'} the labeling config"
    yield _verdict("Valid", fit, invalid, singles, good)
    values = json_values.converted(call for asked in singles for call in asked.calls)
    yield _verdict("JSON", values, unwritable, singles, good)


def _problems(backend: BackendUnderTest, task: Json, asked: Asked) -> Iterator[Problem]:
    """What is wrong with the prediction of one task."""
    found = [(one.reason, one.message) for one in asked.problems]
    if not found and (message := json_values.not_finite(asked.calls)):
        found = [("json", message)]
    for reason, message in found:
        if reason in ("raised", "count"):
            fix = fixes.COUNT if isinstance(asked.raised, results.WrongCount) else fixes.RAISES
            yield backend.problem("Predict", message, fix, asked.raised, task)
        elif reason in ("json", "number"):
            yield backend.problem("JSON", message, fixes.JSON, None, task)
        else:
            yield backend.problem("Valid", message, fixes.fits(reason), None, task)


def _verdict(name: str, summary: str, problems: list[Problem], singles: list[Asked], good: list[Asked]) -> Check:
    if problems:
        summary = f"{len(problems)} of {len(singles)} predictions are dropped"
        return Check(name=name, outcome=Outcome.FAILED, summary=summary, problems=problems)
    if not good:
        return Check(name=name, outcome=Outcome.SKIPPED, summary="no predictions")
    return Check(name=name, outcome=Outcome.OK, summary=summary)


# --- together -------------------------------------------------------------------------------------------------


def _together(backend: BackendUnderTest, singles: list[Asked], batch: Asked, again: Asked) -> Iterator[Check]:
    check = Check(name="Batch", outcome=Outcome.OK, seconds=again.seconds)
    check.summary = f"{len(backend.tasks)} tasks in {count(len(batch.calls), 'call')}"
    alone = {problem.task for asked in singles for problem in asked.problems}
    only_here = [problem for problem in batch.problems if problem.task not in alone]
    error = batch.calls[0].error if batch.calls else None
    if isinstance(error, results.WrongCount):
        check = failed(check, backend.problem(check.name, str(error), fixes.COUNT))
    elif error is not None and not alone:
        message = f"predict() raises {one_line(error)} when it gets several tasks; one by one they work"
        check = failed(check, backend.problem(check.name, message, fixes.BATCH, error))
    elif only_here:
        found = [backend.problem(check.name, one.message, fixes.BATCH, batch.raised) for one in only_here]
        check = failed(check, *found)
    yield check
    yield _compare(backend, singles, batch, again, usable=check.outcome is Outcome.OK)


def _compare(backend: BackendUnderTest, singles: list[Asked], batch: Asked, again: Asked, *, usable: bool) -> Check:
    check = Check(name="Batch = singles", outcome=Outcome.SKIPPED)
    if not usable:
        check.summary = "no batch to compare with"
    elif not any(batch.predictions):
        check.summary = "no predictions"
    elif difference(again.predictions, batch.predictions):
        check.summary = "the same batch is answered differently each time"
    else:
        check.outcome = Outcome.OK
        for task, asked, together in zip(backend.tasks, singles, batch.predictions, strict=True):
            if not asked.problems and (found := difference([together], asked.predictions)):
                message = f"the prediction in a batch differs from the one made alone: {found}"
                problem = backend.problem(check.name, message, fixes.BATCH_DIFFERS, None, task)
                return failed(check, problem, outcome=Outcome.WARNING)
        check.summary = "the same in a batch as alone"
    return check


# --- after a click --------------------------------------------------------------------------------------------


def _click(backend: BackendUnderTest, singles: list[Asked]) -> tuple[Check, int]:
    """The check, and how many regions came of clicks."""
    clicks = samples.clicks(backend.interface, backend.tasks[0])
    if not clicks:
        summary = "no sample region for this config"
        return Check(name="Interactive", outcome=Outcome.SKIPPED, summary=summary), 0
    check = Check(name="Interactive", outcome=Outcome.OK)
    known = {problem.message for problem in singles[0].problems}
    answers = [backend.ask(backend.tasks[:1], {"result": [region]}) for region in clicks]
    clicked = sum(regions(asked.predictions) for asked in answers)
    for region, asked in zip(clicks, answers, strict=True):
        for problem in asked.problems:
            if problem.message in known:
                summary = "fails in the same way without a click"
                return Check(name=check.name, outcome=Outcome.SKIPPED, summary=summary), clicked
            message = f"with a context ({region['type']} {region['from_name']!r}) {problem.message}"
            check = failed(check, backend.problem(check.name, message, fixes.CONTEXT, asked.raised))
    check.seconds = sum(asked.seconds for asked in answers)
    kinds = " and ".join(region["type"] for region in clicks)
    check.summary = f"{kinds} answered with {count(clicked, 'region')}"
    return check, clicked
