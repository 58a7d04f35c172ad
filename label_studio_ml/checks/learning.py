"""The checks of training: what fit() makes of annotations, skips, deletions and a button, and what comes of it."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from ..errors import LoadError
from ..stage import samples
from ..wire import bodies, records
from ..wire import events as protocol
from . import fixes
from .comparison import difference, regions
from .predicting import Predicted
from .report import Check, Outcome, clock, count, failed, skip
from .under_test import BackendUnderTest, Learned

Json = dict[str, Any]

_TRAINED = ("New version", "Predict after fit", "Fit: skipped task")
NAMES = {
    1: ("Fit", *_TRAINED, "Fit: nothing annotated"),
    2: ("Fit", "Start training", *_TRAINED, "Fit: deleted annotation"),
}
"""What is checked of each generation of fit()."""


def run(backend: BackendUnderTest, predicted: Predicted) -> Generator[Check, None, int]:
    """All of them, in order; returns how many regions the new version predicts."""
    if not backend.plan.fit:
        yield from skip(("Fit",), "not asked for")
        return 0
    about = backend.host.describe()
    if not about.learns:
        yield from skip(("Fit",), "the class has no fit()")
        return 0
    made = [samples.annotation(backend.interface, task, number) for number, task in enumerate(backend.tasks)]
    done = [records.annotated(task, one) for task, one in zip(backend.tasks, made, strict=True)]
    backend.stage.show(done)
    if about.generation == 1:
        return (yield from _on_annotated_tasks(backend, done, predicted))
    return (yield from _on_events(backend, done, predicted))


def _on_annotated_tasks(
    backend: BackendUnderTest, done: list[Json], predicted: Predicted
) -> Generator[Check, None, int]:
    """Generation 1: fit() gets all annotated tasks of the project."""
    start = bodies.start_training(backend.stage.project)
    fitted = _fit(backend, "Fit", [{**start, "annotations": done}], count(len(done), "annotated task"))
    yield fitted
    later = yield from _after_fit(backend, predicted, fitted)
    some = [_skipped(backend), *done[1:]]
    yield _fit(backend, "Fit: skipped task", [{**start, "annotations": some}], "one of them skipped")
    on_nothing = {**start, "annotations": []}
    check = _fit(backend, "Fit: nothing annotated", [on_nothing], "fit() accepts an empty set")
    if check.outcome is Outcome.FAILED:
        check.outcome = Outcome.WARNING
    yield check
    return later


def _on_events(backend: BackendUnderTest, done: list[Json], predicted: Predicted) -> Generator[Check, None, int]:
    """Generation 2: fit() gets each event."""
    project = backend.stage.project
    created = [bodies.annotation_created(task["annotations"][0], task, project) for task in done]
    fitted = _fit(backend, "Fit", created, f"{count(len(created), 'annotation')}, one by one")
    yield fitted
    start = bodies.start_training(project)
    yield _fit(backend, "Start training", [start], "the button brings no annotations")
    later = yield from _after_fit(backend, predicted, fitted)
    task = _skipped(backend)
    skipped = bodies.annotation_created(task["annotations"][0], task, project)
    yield _fit(backend, "Fit: skipped task", [skipped], "an annotation without a result")
    deleted = bodies.annotations_deleted([done[0]["annotations"][0]["id"]], project)
    yield _fit(backend, "Fit: deleted annotation", [deleted], "the event brings only an id")
    return later


def _skipped(backend: BackendUnderTest) -> Json:
    """The first task, skipped by its annotator."""
    task = backend.tasks[0]
    return records.annotated(task, samples.annotation(backend.interface, task, 0, skipped=True))


def _fit(backend: BackendUnderTest, name: str, events: list[Json], summary: str) -> Check:
    """Let fit() learn from events, each in a job of its own; stop at the first that fails."""
    action = events[0]["action"]
    if not protocol.trains(action, backend.host.model_class.TRAIN_EVENTS):
        summary = f"{protocol.canonical(action)} is not in TRAIN_EVENTS"
        return Check(name=name, outcome=Outcome.SKIPPED, summary=summary)
    check = Check(name=name, outcome=Outcome.OK, summary=summary)
    seconds = 0.0
    for event in events:
        learned = backend.learn(event)
        seconds += learned.seconds
        if learned.failure:
            check = _failed(backend, check, learned)
            break
    check.seconds = seconds
    return check


def _failed(backend: BackendUnderTest, check: Check, learned: Learned) -> Check:
    unknown = "; ".join(dict.fromkeys(backend.stage.unknown))
    fix = fixes.event(check.name)
    if unknown and not backend.plan.hostname:
        fix += f" {fixes.unknown_calls(unknown)}"
    return failed(check, backend.problem(check.name, learned.failure, fix, learned.error))


def _after_fit(backend: BackendUnderTest, predicted: Predicted, fitted: Check) -> Generator[Check, None, int]:
    """How many regions the new version predicts."""
    check, after = Check(name="New version", outcome=Outcome.OK), "Predict after fit"
    if not backend.has_new_version:
        if fitted.outcome is Outcome.FAILED:
            yield from skip((check.name, after), "fit() failed")
            return 0
        message = "fit() ran, but changed nothing: the version before it goes on predicting"
        problem = backend.problem(check.name, message, fixes.NOT_LEARNING)
        yield failed(check, problem, outcome=Outcome.WARNING)
        yield from skip((after,), "there is no new version")
        return 0
    before = backend.version
    try:
        with clock(check):
            backend.take_over()
    except LoadError as error:
        yield failed(check, backend.problem(check.name, str(error), fixes.RELOAD, error.__cause__))
        yield from skip((after,), "the new version does not load")
        return 0
    check.summary = f"{before} → {backend.version}"
    yield check
    return (yield from _predict_after(backend, predicted))


def _predict_after(backend: BackendUnderTest, predicted: Predicted) -> Generator[Check, None, int]:
    asked = backend.ask(backend.tasks)
    check = Check(name="Predict after fit", outcome=Outcome.OK, seconds=asked.seconds)
    known = {problem.task for one in predicted.singles for problem in one.problems}
    problems = [
        backend.problem(check.name, f"task {one.task}: {one.message}", fixes.AFTER_FIT, asked.raised)
        for one in asked.problems
        if one.task not in known
    ]
    if problems:
        yield failed(check, *problems)
        return regions(asked.predictions)
    batch = predicted.batch
    earlier = batch.predictions if batch else [one.predictions[0] for one in predicted.singles]
    changed = sum(bool(difference([new], [old])) for new, old in zip(asked.predictions, earlier, strict=True))
    good = sum(map(bool, asked.predictions))
    check.summary = f"{good} of {count(len(backend.tasks), 'task')}, {changed or 'none'} changed"
    yield check
    return regions(asked.predictions)
