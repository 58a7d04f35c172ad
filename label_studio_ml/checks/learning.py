"""The checks of training: what fit() makes of annotations, skips, deletions and a button, and what comes of it."""

from __future__ import annotations

from collections.abc import Iterator

from ..errors import LoadError
from ..processes import messages
from ..stage import samples
from ..store import versions
from ..wire import bodies, records
from ..wire import events as protocol
from . import fixes
from .report import Check, Outcome
from .scene import Json, Scene, clock, count, difference, failed, regions, skip

_TRAINED = ("New version", "Predict after fit", "Fit: skipped task")
NAMES = {
    1: ("Fit", *_TRAINED, "Fit: nothing annotated"),
    2: ("Fit", "Start training", *_TRAINED, "Fit: deleted annotation"),
}
"""What is checked of each generation of fit()."""


def run(scene: Scene) -> Iterator[Check]:
    """All of them, in order."""
    if not scene.plan.fit:
        yield from skip(("Fit",), "not asked for")
    elif not scene.host.describe().learns:
        yield from skip(("Fit",), "the class has no fit()")
    else:
        yield from _train(scene)


def _train(scene: Scene) -> Iterator[Check]:
    made = [samples.annotation(scene.interface, task, number) for number, task in enumerate(scene.tasks)]
    done = [records.annotated(task, one) for task, one in zip(scene.tasks, made, strict=True)]
    scene.stage.show(done)
    before, project = scene.version, scene.stage.project
    nothing = samples.annotation(scene.interface, scene.tasks[0], 0, skipped=True)
    start = bodies.start_training(project)
    if scene.host.describe().generation == 1:
        whole = _fit(scene, "Fit", [{**start, "annotations": done}], count(len(done), "annotated task"))
        yield whole
        yield from _after_fit(scene, before, whole)
        some = [records.annotated(scene.tasks[0], nothing), *done[1:]]
        yield _fit(scene, "Fit: skipped task", [{**start, "annotations": some}], "one of them skipped")
        yield _fit_on_nothing(scene, {**start, "annotations": []})
        return
    created = [bodies.annotation_created(one, task, project) for task, one in zip(done, made, strict=True)]
    fitted = _fit(scene, "Fit", created, f"{count(len(created), 'annotation')}, one by one")
    yield fitted
    yield _fit(scene, "Start training", [start], "the button brings no annotations")
    yield from _after_fit(scene, before, fitted)
    skipped = bodies.annotation_created(nothing, records.annotated(scene.tasks[0], nothing), project)
    yield _fit(scene, "Fit: skipped task", [skipped], "an annotation without a result")
    deleted = bodies.annotations_deleted([made[0]["id"]], project)
    yield _fit(scene, "Fit: deleted annotation", [deleted], "the event brings only an id")


def _fit(scene: Scene, name: str, happened: list[Json], summary: str) -> Check:
    """Let fit() learn from events, each in a job of its own; stop at the first that fails."""
    check = Check(name=name, outcome=Outcome.OK, summary=summary, seconds=0.0)
    action = happened[0]["action"]
    if not protocol.trains(action, scene.host.model_class.TRAIN_EVENTS):
        summary = f"TRAIN_EVENTS leaves {protocol.canonical(action)} out"
        return Check(name=name, outcome=Outcome.SKIPPED, summary=summary)
    for event in happened:
        outcome = scene.job(event)
        check.seconds = (check.seconds or 0.0) + scene.host.fit_seconds
        if isinstance(outcome, messages.Fitted):
            scene.number = scene.number if outcome.version is None else outcome.version
            continue
        message = outcome.error if isinstance(outcome, messages.Failed) else outcome.reason
        unknown = "; ".join(dict.fromkeys(scene.stage.unknown))
        hint = f" {fixes.unknown_calls(unknown)}" if unknown and not scene.plan.hostname else ""
        return failed(check, scene.problem(name, message, fixes.event(name) + hint, scene.host.fit_error))
    return check


def _fit_on_nothing(scene: Scene, start: Json) -> Check:
    check = _fit(scene, "Fit: nothing annotated", [start], "fit() copes with an empty set")
    if check.outcome is Outcome.FAILED:
        check.outcome = Outcome.WARNING
    return check


def _after_fit(scene: Scene, before: str, fitted: Check) -> Iterator[Check]:
    check = Check(name="New version", outcome=Outcome.OK)
    if not scene.number:
        if fitted.outcome is Outcome.FAILED:
            yield from skip(("New version", "Predict after fit"), "fit() failed")
            return
        message = "fit() ran, but left nothing: the model version stays, and so do its predictions"
        yield failed(check, scene.problem(check.name, message, fixes.NOT_LEARNING), outcome=Outcome.WARNING)
        yield Check(name="Predict after fit", outcome=Outcome.SKIPPED, summary="there is no new version")
        return
    with clock(check):
        try:
            scene.version = scene.host.warm(scene.project, None, scene.number)
        except LoadError as error:
            yield failed(check, scene.problem(check.name, str(error), fixes.RELOAD, error.__cause__))
            yield Check(name="Predict after fit", outcome=Outcome.SKIPPED, summary="the new version does not load")
            scene.number = 0
            return
    scene.database.write(versions.activate, scene.project, scene.number)
    check.summary = f"{before} → {scene.version}"
    yield check
    yield _predict_after(scene)


def _predict_after(scene: Scene) -> Check:
    asked = scene.ask(scene.tasks)
    scene.later = regions(asked.predictions)
    check = Check(name="Predict after fit", outcome=Outcome.OK, seconds=asked.seconds)
    known = {problem.task for one in scene.singles for problem in one.problems}
    problems = [
        scene.problem(check.name, f"task {one.task}: {one.message}", fixes.AFTER_FIT, asked.raised)
        for one in asked.problems
        if one.task not in known
    ]
    if problems:
        return failed(check, *problems)
    earlier = scene.batch.predictions if scene.batch else [one.predictions[0] for one in scene.singles]
    changed = sum(bool(difference([new], [old])) for new, old in zip(asked.predictions, earlier, strict=True))
    good = sum(map(bool, asked.predictions))
    check.summary = f"{good} of {count(len(scene.tasks), 'task')}, {changed or 'none'} changed"
    return check
