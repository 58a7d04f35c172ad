"""The checks of predictions: one by one, together, and after a click."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from typing import Any

from ..errors import PredictError, one_line
from ..stage import samples
from ..wire import results
from ..wire.deadlines import Deadlines
from . import fixes
from .report import Check, Outcome, Problem, duration
from .scene import Asked, Json, Scene, count, difference, failed, regions, skip

DEADLINES = Deadlines()
NAMES = ("Predict", "Valid", "JSON", "Batch", "Batch = singles", "Interactive")


def run(scene: Scene) -> Iterator[Check]:
    """All of them, in order."""
    yield from _predict_singly(scene)
    yield from _predict_together(scene)
    yield _click(scene)


def _predict_singly(scene: Scene) -> Iterator[Check]:
    scene.singles = [scene.ask([task]) for task in scene.tasks]
    raised, invalid, unwritable = [], [], []
    for task, asked in zip(scene.tasks, scene.singles, strict=True):
        problems = [(found.reason, found.message) for found in asked.problems] or [
            ("json", message) for message in _not_finite(asked)
        ]
        for reason, message in problems:
            if reason in ("raised", "count"):
                wrong = isinstance(asked.raised, results.WrongCount)
                fix = fixes.COUNT if wrong else fixes.RAISES
                raised.append(scene.problem("Predict", message, fix, asked.raised, task))
            elif reason in ("json", "number"):
                unwritable.append(scene.problem("JSON", message, fixes.JSON, None, task))
            else:
                invalid.append(scene.problem("Valid", message, fixes.fits(reason), None, task))
    good = [asked for asked in scene.singles if not asked.problems and any(asked.predictions)]
    times = [asked.seconds for asked in scene.singles]
    check = Check(name="Predict", outcome=Outcome.OK, seconds=sum(times), problems=raised)
    check.summary = f"{len(good)} of {count(len(scene.tasks), 'task')}, {duration(max(times))} at most"
    if raised:
        check.outcome = Outcome.FAILED
    elif max(times) > DEADLINES.predict:
        message = f"one task takes {duration(max(times))}, and Label Studio waits {DEADLINES.predict:g} s"
        check = failed(check, scene.problem("Predict", message, fixes.SLOW), outcome=Outcome.WARNING)
    yield check
    fitting = count(sum(regions(asked.predictions) for asked in good), "region")
    yield _verdict(scene, "Valid", f"{fitting} as the labeling config wants", invalid, good)
    yield _verdict(scene, "JSON", _converted(scene.singles), unwritable, good)


def _verdict(scene: Scene, name: str, summary: str, problems: list[Problem], good: list[Any]) -> Check:
    if problems:
        summary = f"{len(problems)} of {len(scene.tasks)} predictions are dropped"
        return Check(name=name, outcome=Outcome.FAILED, summary=summary, problems=problems)
    if not good:
        return Check(name=name, outcome=Outcome.SKIPPED, summary="no predictions")
    return Check(name=name, outcome=Outcome.OK, summary=summary)


def _predict_together(scene: Scene) -> Iterator[Check]:
    if len(scene.tasks) < 2:
        yield from skip(("Batch", "Batch = singles"), "only one task")
        return
    scene.batch = first = scene.ask(scene.tasks)
    again = scene.ask(scene.tasks)
    check = Check(name="Batch", outcome=Outcome.OK, seconds=again.seconds)
    scene.speed = len(scene.tasks) / again.seconds if again.seconds > 0 else None
    check.summary = f"{len(scene.tasks)} tasks in {count(len(first.calls), 'call')}"
    alone = {problem.task for asked in scene.singles for problem in asked.problems}
    news = [problem for problem in first.problems if problem.task not in alone]
    error = first.calls[0].error if first.calls else None
    if isinstance(error, results.WrongCount):
        check = failed(check, scene.problem("Batch", str(error), fixes.COUNT))
    elif error is not None and not alone:
        message = f"predict() raises {one_line(error)} when it gets several tasks; one by one they work"
        check = failed(check, scene.problem("Batch", message, fixes.BATCH, error))
    elif news:
        found = [scene.problem("Batch", one.message, fixes.BATCH, first.raised) for one in news]
        check = failed(check, *found)
    yield check
    yield _compare(scene, first, again, usable=check.outcome is Outcome.OK)


def _compare(scene: Scene, first: Asked, again: Asked, *, usable: bool) -> Check:
    check = Check(name="Batch = singles", outcome=Outcome.SKIPPED)
    if not usable:
        check.summary = "no batch to compare with"
    elif not any(first.predictions):
        check.summary = "no predictions"
    elif difference(again.predictions, first.predictions):
        check.summary = "the same batch is answered differently each time"
    else:
        check.outcome = Outcome.OK
        check.summary = "the same alone and in company"
        for task, asked, together in zip(scene.tasks, scene.singles, first.predictions, strict=True):
            if not asked.problems and (found := difference([together], asked.predictions)):
                check.summary = ""
                message = f"in a batch the prediction is another than alone: {found}"
                check = failed(
                    check,
                    scene.problem(check.name, message, fixes.COMPANY, None, task),
                    outcome=Outcome.WARNING,
                )
                break
    return check


def _click(scene: Scene) -> Check:
    check = Check(name="Interactive", outcome=Outcome.OK)
    clicks = samples.clicks(scene.interface, scene.tasks[0])
    if not clicks:
        return Check(name=check.name, outcome=Outcome.SKIPPED, summary="no sample region for this config")
    check.seconds = 0.0
    known = {problem.message for problem in scene.singles[0].problems}
    for region in clicks:
        asked = scene.ask(scene.tasks[:1], {"result": [region]})
        check.seconds += asked.seconds
        scene.clicked += regions(asked.predictions)
        for problem in asked.problems:
            if problem.message in known:
                return Check(name=check.name, outcome=Outcome.SKIPPED, summary="fails as without a click")
            message = f"with a context ({region['type']} {region['from_name']!r}) {problem.message}"
            check = failed(check, scene.problem(check.name, message, fixes.CONTEXT, asked.raised))
    kinds = " and ".join(region["type"] for region in clicks)
    check.summary = check.summary or f"{kinds} answered with {count(scene.clicked, 'region')}"
    return check


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for part in value.values():
            yield from _leaves(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _leaves(part)
    else:
        yield value


def _raw(asked: Asked) -> Iterator[Json]:
    """The predictions as the author gave them."""
    for call in asked.calls:
        for item in call.items:
            with contextlib.suppress(PredictError):
                yield from results.as_predictions(item)


def _not_finite(asked: Asked) -> list[str]:
    """NaN and infinity have no JSON form: what was meant gets lost on the way."""
    with contextlib.suppress(PredictError):
        for leaf in _leaves(results.as_json(list(_raw(asked)))):
            if isinstance(leaf, float) and not math.isfinite(leaf):
                return [f"the prediction holds {leaf}, which JSON cannot express"]
    return []


def _converted(singles: list[Asked]) -> str:
    """Which kinds of values had to be converted."""
    plain = (str, int, float, bool, type(None))
    kinds = {
        type(leaf).__name__
        for asked in singles
        for one in _raw(asked)
        for leaf in _leaves(one)
        if type(leaf) not in plain
    }
    return f"{', '.join(sorted(kinds))} converted" if kinds else "plain values"
