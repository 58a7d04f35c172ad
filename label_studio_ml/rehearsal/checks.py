"""Goes through everything Label Studio will do with a backend, in the calling process, and reports what happens.

The author's class runs in the same `ModelHost` and the same trainer as on a server, over a store in a folder that
is gone afterwards. Knows nothing of how the report looks.
"""

from __future__ import annotations

import contextlib
import logging
import math
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
from label_studio_sdk.label_interface import LabelInterface
from sqlalchemy import Connection

from .. import settings as settings_module
from ..backend import answers, source
from ..backend.answers import Group
from ..backend.source import Source
from ..errors import BackendError, LoadError, PredictError, one_line
from ..protocol import events as protocol
from ..protocol import responses
from ..store import events, jobs, projects, versions
from ..store.database import Database
from ..training import messages, trainer
from ..utils import compare_nested_structures
from . import fixes, samples
from .configs import LabelConfig
from .report import NOT_REACHED, Check, Outcome, Problem, Report, duration
from .stage import Stage, label_studio_environment
from .watched import Call, WatchedHost, detail, folder_of, peak_memory, where

Json = dict[str, Any]

DEADLINE = 100.0
"""Seconds after which Label Studio gives up waiting for a prediction."""
_OWNER = "rehearsal"
_FIRST = ("Labeling config", "Load")
_PREDICTING = ("Predict", "Valid", "JSON", "Batch", "Batch = singles", "Interactive")
_TRAINED = ("New version", "Predict after fit", "Fit: skipped task")
_TRAINING = {
    1: ("Fit", *_TRAINED, "Fit: nothing annotated"),
    2: ("Fit", "Start training", *_TRAINED, "Fit: deleted annotation"),
}
"""What is checked of each generation of fit()."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What a backend is tried with.

    `tasks`: Label Studio tasks; where there are none, `count` are made to fit the labeling config. `hostname` and
    `access_token`: a real Label Studio, when the tasks are from one; else it is played.
    """

    label_config: LabelConfig
    tasks: Sequence[Json] = ()
    count: int = 4
    fit: bool = True
    project_id: str = "1"
    hostname: str = ""
    access_token: str = ""


def rehearse(
    subject: Source | type[Any],
    plan: Plan,
    kwargs: Json | None = None,
    tell: Callable[[Check], None] = lambda _check: None,
) -> Report:
    """Try a backend out.

    Args:
        subject: where the author's class is, or the class itself.
        plan: what to try it with.
        kwargs: arguments for the constructor, on top of those of the source.
        tell: called with each check as soon as it is over.

    Raises:
        SourceError: there is no usable model class.
    """
    report = Report(label_config=plan.label_config.source)
    with contextlib.ExitStack() as exits:
        temporary = tempfile.TemporaryDirectory(prefix="label-studio-ml-", ignore_cleanup_errors=True)
        folder = exits.enter_context(temporary)
        stage = exits.enter_context(Stage(plan.project_id, plan.label_config.xml))
        hostname, token = plan.hostname or stage.hostname, plan.access_token or stage.token
        exits.enter_context(label_studio_environment(hostname, token, folder))
        exits.enter_context(_quiet())
        settings = settings_module.load({}, model_dir=folder)
        database = Database(settings.database)
        exits.callback(database.close)
        database.migrate()
        with contextlib.suppress(_Stop):
            model_class, given = _imported(subject, report, tell)
            report.model_class = model_class.__name__
            host = WatchedHost(model_class, {**given, **(kwargs or {})}, settings, database)
            rehearsal = _Rehearsal(host, database, settings, plan, stage)
            with contextlib.suppress(_Stop):
                for check in rehearsal.run():
                    report.checks.append(check)
                    tell(check)
            rehearsal.conclude(report)
    done = {check.name for check in report.checks}
    expected = (*_FIRST, *_PREDICTING, *_TRAINING[report.generation or 1][: None if report.generation else 1])
    report.checks += [
        Check(name=name, outcome=Outcome.SKIPPED, summary=NOT_REACHED) for name in expected if name not in done
    ]
    report.peak_memory = peak_memory()
    return report


def _imported(subject: Source | type[Any], report: Report, tell: Callable[[Check], None]) -> tuple[type[Any], Json]:
    if isinstance(subject, type):
        return subject, {}
    name = Path(subject.path).name
    check = Check(name="Import", outcome=Outcome.OK, summary=name)
    report.model_class = name
    report.checks.append(check)
    try:
        with _clock(check):
            return source.load(subject)
    except LoadError as error:
        cause = error.__cause__
        found = Problem(
            check="Import",
            message=str(error),
            fix=fixes.IMPORT,
            where=where(cause, subject.folder),
            detail=detail(cause, subject.folder),
        )
        report.checks[0] = _failed(check, found)
        raise _Stop from None
    finally:
        tell(report.checks[0])


class _Stop(Exception):
    """Nothing more can be checked."""


class _Asked(msgspec.Struct):
    """What came of a request: predictions by task, problems, and the calls of predict() it took."""

    predictions: list[list[Json]]
    problems: list[answers.Problem]
    calls: list[Call]
    version: str

    @property
    def seconds(self) -> float:
        return sum(call.seconds for call in self.calls)

    @property
    def raised(self) -> BaseException | None:
        return next((call.error for call in self.calls if call.error is not None), None)


class _Rehearsal:
    """One run through all checks; each yields a row, in order."""

    def __init__(
        self, host: WatchedHost, database: Database, settings: settings_module.Settings, plan: Plan, stage: Stage
    ) -> None:
        self._host, self._database, self._settings = host, database, settings
        self._plan, self._stage, self._project = plan, stage, plan.project_id
        self._folder = folder_of(host.model_class)
        self._number = 0
        self._version = ""
        self._tasks: list[Json] = []
        self._singles: list[_Asked] = []
        self._batch: _Asked | None = None
        self._clicked = 0
        self._later = 0
        self._speed: float | None = None

    def run(self) -> Iterator[Check]:
        """All checks.

        Raises:
            _Stop: what is still to come makes no sense after what was found.
        """
        yield from self._understand()
        yield from self._load()
        yield from self._predict_singly()
        yield from self._predict_together()
        yield self._click()
        if not self._plan.fit:
            yield from _skip(("Fit",), "not asked for")
        elif not self._host.describe().learns:
            yield from _skip(("Fit",), "the class has no fit()")
        else:
            yield from self._train()

    def conclude(self, report: Report) -> None:
        """What is only known at the end."""
        report.tasks, report.tasks_per_second = len(self._tasks), self._speed
        with contextlib.suppress(BackendError):
            about = self._host.describe()
            report.generation = about.generation if about.learns and self._plan.fit else None
        check = next((one for one in report.checks if one.name == "Predict"), None)
        shown = sum(_regions(asked.predictions) for asked in self._singles)
        if check is None or shown or any(asked.problems for asked in self._singles):
            return
        if self._clicked:
            check.summary = "nothing without a click: an interactive model"
        elif self._later:
            check.summary = "nothing before a training"
        else:
            message = f"none of the {len(self._tasks)} sample tasks got a prediction that shows anything"
            check.outcome = Outcome.WARNING
            check.problems = [*check.problems, Problem(check="Predict", message=message, fix=fixes.NOTHING_SHOWN)]

    # --- before the first prediction ---------------------------------------------------------------------

    def _understand(self) -> Iterator[Check]:
        config = self._plan.label_config
        check = Check(name="Labeling config", outcome=Outcome.OK)
        try:
            self._interface = LabelInterface(config=config.xml)
            self._interface.validate()
            controls = list(self._interface.controls)
            check.summary = ", ".join(f"{one.tag} {one.name!r} on {','.join(one.to_name)!r}" for one in controls)
            if not controls:
                raise ValueError("it has no control tag")
        except Exception as error:  # noqa: BLE001 - the SDK has many ways to say no
            message = f"Label Studio would refuse {config.source}: {one_line(error)}"
            yield _failed(check, Problem(check=check.name, message=message, fix=fixes.CONFIG))
            raise _Stop from None
        given = self._plan.tasks
        self._tasks = [completed(task, number) for number, task in enumerate(given, 1)] or samples.tasks(
            self._interface, self._plan.count, self._stage.publish, self._project
        )
        self._stage.tasks = list(self._tasks)
        yield check

    def _load(self) -> Iterator[Check]:
        hostname = self._plan.hostname or self._stage.hostname
        token = self._plan.access_token or self._stage.token
        config = self._plan.label_config.xml

        def save(connection: Connection) -> None:
            projects.save(connection, self._project, label_config=config, hostname=hostname, access_token=token)

        self._database.write(save)
        check = Check(name="Load", outcome=Outcome.OK)
        with _clock(check):
            try:
                self._host.describe()
                self._version = self._host.warm(self._project, config, 0)
            except BackendError as error:
                problem = self._problem(check.name, str(error), fixes.LOAD, error.__cause__)
                check = _failed(check, problem)
        if check.outcome is Outcome.OK:
            check.summary = f"version {self._version}"
        yield check
        if check.outcome is Outcome.FAILED:
            raise _Stop

    # --- predictions -------------------------------------------------------------------------------------

    def _ask(self, tasks: Sequence[Json], context: Json | None = None) -> _Asked:
        before = len(self._host.calls)
        params = {"login": None, "password": None, "context": context}
        group = Group([msgspec.json.encode(task) for task in tasks])
        config = self._plan.label_config.xml
        answer = self._host.predict(self._project, config, self._number, [group], params)
        predictions = [_decoded(item) for item in answer.results[0]]
        return _Asked(predictions, answer.problems, self._host.calls[before:], answer.version)

    def _predict_singly(self) -> Iterator[Check]:
        self._singles = [self._ask([task]) for task in self._tasks]
        raised, invalid, unwritable = [], [], []
        for task, asked in zip(self._tasks, self._singles, strict=True):
            problems = [(found.kind, found.message) for found in asked.problems] or [
                ("json", message) for message in _not_finite(asked)
            ]
            for kind, message in problems:
                if kind == "predict":
                    wrong = isinstance(asked.raised, responses.WrongCount)
                    fix = fixes.COUNT if wrong else fixes.RAISES
                    raised.append(self._problem("Predict", message, fix, asked.raised, task))
                elif kind == "json" or "not JSON" in message:
                    unwritable.append(self._problem("JSON", message, fixes.JSON, None, task))
                else:
                    invalid.append(self._problem("Valid", message, fixes.fits(message), None, task))
        good = [asked for asked in self._singles if not asked.problems and any(asked.predictions)]
        times = [asked.seconds for asked in self._singles]
        check = Check(name="Predict", outcome=Outcome.OK, seconds=sum(times), problems=raised)
        check.summary = f"{len(good)} of {_count(len(self._tasks), 'task')}, {duration(max(times))} at most"
        if raised:
            check.outcome = Outcome.FAILED
        elif max(times) > DEADLINE:
            message = f"one task takes {duration(max(times))}, and Label Studio waits {DEADLINE:.0f} s"
            check = _failed(check, self._problem("Predict", message, fixes.SLOW), outcome=Outcome.WARNING)
        yield check
        count = sum(_regions(asked.predictions) for asked in good)
        yield self._verdict("Valid", f"{_count(count, 'region')} as the labeling config wants", invalid, good)
        yield self._verdict("JSON", _converted(self._singles), unwritable, good)

    def _verdict(self, name: str, summary: str, problems: list[Problem], good: list[Any]) -> Check:
        if problems:
            summary = f"{len(problems)} of {len(self._tasks)} predictions are dropped"
            return Check(name=name, outcome=Outcome.FAILED, summary=summary, problems=problems)
        if not good:
            return Check(name=name, outcome=Outcome.SKIPPED, summary="no predictions")
        return Check(name=name, outcome=Outcome.OK, summary=summary)

    def _predict_together(self) -> Iterator[Check]:
        if len(self._tasks) < 2:
            yield from _skip(("Batch", "Batch = singles"), "only one task")
            return
        self._batch = first = self._ask(self._tasks)
        again = self._ask(self._tasks)
        check = Check(name="Batch", outcome=Outcome.OK, seconds=again.seconds)
        self._speed = len(self._tasks) / again.seconds if again.seconds > 0 else None
        check.summary = f"{len(self._tasks)} tasks in {_count(len(first.calls), 'call')}"
        alone = {problem.task for asked in self._singles for problem in asked.problems}
        news = [problem for problem in first.problems if problem.task not in alone]
        error = first.calls[0].error if first.calls else None
        if isinstance(error, responses.WrongCount):
            check = _failed(check, self._problem("Batch", str(error), fixes.COUNT))
        elif error is not None and not alone:
            message = f"predict() raises {one_line(error)} when it gets several tasks; one by one they work"
            check = _failed(check, self._problem("Batch", message, fixes.BATCH, error))
        elif news:
            found = [self._problem("Batch", one.message, fixes.BATCH, first.raised) for one in news]
            check = _failed(check, *found)
        yield check
        yield self._compare(first, again, usable=check.outcome is Outcome.OK)

    def _compare(self, first: _Asked, again: _Asked, *, usable: bool) -> Check:
        check = Check(name="Batch = singles", outcome=Outcome.SKIPPED)
        if not usable:
            check.summary = "no batch to compare with"
        elif not any(first.predictions):
            check.summary = "no predictions"
        elif _difference(again.predictions, first.predictions):
            check.summary = "the same batch is answered differently each time"
        else:
            check.outcome = Outcome.OK
            check.summary = "the same alone and in company"
            for task, asked, together in zip(self._tasks, self._singles, first.predictions, strict=True):
                if not asked.problems and (found := _difference([together], asked.predictions)):
                    check.summary = ""
                    message = f"in a batch the prediction is another than alone: {found}"
                    check = _failed(
                        check,
                        self._problem(check.name, message, fixes.COMPANY, None, task),
                        outcome=Outcome.WARNING,
                    )
                    break
        return check

    def _click(self) -> Check:
        check = Check(name="Interactive", outcome=Outcome.OK)
        clicks = samples.clicks(self._interface, self._tasks[0])
        if not clicks:
            return Check(name=check.name, outcome=Outcome.SKIPPED, summary="no sample region for this config")
        check.seconds = 0.0
        known = {problem.message for problem in self._singles[0].problems}
        for region in clicks:
            asked = self._ask(self._tasks[:1], {"result": [region]})
            check.seconds += asked.seconds
            self._clicked += _regions(asked.predictions)
            for problem in asked.problems:
                if problem.message in known:
                    return Check(name=check.name, outcome=Outcome.SKIPPED, summary="fails as without a click")
                message = f"with a context ({region['type']} {region['from_name']!r}) {problem.message}"
                check = _failed(check, self._problem(check.name, message, fixes.CONTEXT, asked.raised))
        kinds = " and ".join(region["type"] for region in clicks)
        check.summary = check.summary or f"{kinds} answered with {_count(self._clicked, 'region')}"
        return check

    # --- training ----------------------------------------------------------------------------------------

    def _train(self) -> Iterator[Check]:
        made = [samples.annotation(self._interface, task, number) for number, task in enumerate(self._tasks)]
        done = [samples.annotated(task, one) for task, one in zip(self._tasks, made, strict=True)]
        self._stage.tasks = done
        before = self._version
        skip = samples.annotation(self._interface, self._tasks[0], 0, skipped=True)
        if self._host.describe().generation == 1:
            whole = self._fit("Fit", [self._start_training(done)], _count(len(done), "annotated task"))
            yield whole
            yield from self._after_fit(before, whole)
            some = [samples.annotated(self._tasks[0], skip), *done[1:]]
            yield self._fit("Fit: skipped task", [self._start_training(some)], "one of them skipped")
            yield self._fit_on_nothing()
            return
        created = [self._created(task, one) for task, one in zip(done, made, strict=True)]
        fitted = self._fit("Fit", created, f"{_count(len(created), 'annotation')}, one by one")
        yield fitted
        yield self._fit("Start training", [self._start_training(None)], "the button brings no annotations")
        yield from self._after_fit(before, fitted)
        skipped = self._created(samples.annotated(self._tasks[0], skip), skip)
        yield self._fit("Fit: skipped task", [skipped], "an annotation without a result")
        deleted = ("ANNOTATIONS_DELETED", {"annotations": [{"id": made[0]["id"]}], "project": self._stage.project})
        yield self._fit("Fit: deleted annotation", [deleted], "the event brings only an id")

    def _created(self, task: Json, one: Json) -> tuple[str, Json]:
        bare = {key: value for key, value in task.items() if key not in ("annotations", "predictions", "drafts")}
        return "ANNOTATION_CREATED", {"annotation": one, "project": self._stage.project, "task": bare}

    def _start_training(self, annotated: list[Json] | None) -> tuple[str, Json]:
        more = {} if annotated is None else {"annotations": annotated}
        return protocol.START_TRAINING, {"project": self._stage.project, **more}

    def _fit(self, name: str, happened: list[tuple[str, Json]], summary: str, fix: str = fixes.FIT) -> Check:
        """Let fit() learn from events, each in a job of its own; stop at the first that fails."""
        check = Check(name=name, outcome=Outcome.OK, summary=summary, seconds=0.0)
        train_events = self._host.model_class.TRAIN_EVENTS
        if not protocol.trains(happened[0][0], train_events):
            summary = f"TRAIN_EVENTS leaves {protocol.canonical(happened[0][0])} out"
            return Check(name=name, outcome=Outcome.SKIPPED, summary=summary)
        for action, payload in happened:
            outcome = self._job(action, payload)
            check.seconds = (check.seconds or 0.0) + self._host.fit_seconds
            if isinstance(outcome, messages.Fitted):
                self._number = self._number if outcome.version is None else outcome.version
                continue
            message = outcome.error if isinstance(outcome, messages.Failed) else outcome.reason
            unknown = "; ".join(dict.fromkeys(self._stage.unknown))
            hint = f" {fixes.unknown_calls(unknown)}" if unknown and not self._plan.hostname else ""
            return _failed(check, self._problem(name, message, fixes.event(name, fix) + hint, self._host.fit_error))
        return check

    def _fit_on_nothing(self) -> Check:
        check = self._fit("Fit: nothing annotated", [self._start_training([])], "fit() copes with an empty set")
        if check.outcome is Outcome.FAILED:
            check.outcome = Outcome.WARNING
        return check

    def _job(self, action: str, payload: Json) -> messages.Outcome:
        """What the scheduler and the trainer of a server do with an event, at once."""

        def claimed(connection: Connection) -> str:
            job_id = jobs.add(connection, self._project, action)
            event_id = events.add(connection, self._project, action, msgspec.json.encode(payload))
            events.assign(connection, [event_id], job_id)
            jobs.claim(connection, _OWNER, 3600.0)
            return job_id

        job_id = self._database.write(claimed)
        self._host.fit_error, self._host.fit_seconds = None, 0.0
        return trainer.run(self._host, self._settings, self._database, job_id, _OWNER)

    def _after_fit(self, before: str, fitted: Check) -> Iterator[Check]:
        check = Check(name="New version", outcome=Outcome.OK)
        if not self._number:
            if fitted.outcome is Outcome.FAILED:
                yield from _skip(("New version", "Predict after fit"), "fit() failed")
                return
            message = "fit() ran, but left nothing: the model version stays, and so do its predictions"
            yield _failed(check, self._problem(check.name, message, fixes.NOT_LEARNING), outcome=Outcome.WARNING)
            yield Check(name="Predict after fit", outcome=Outcome.SKIPPED, summary="there is no new version")
            return
        with _clock(check):
            try:
                self._version = self._host.warm(self._project, None, self._number)
            except LoadError as error:
                yield _failed(check, self._problem(check.name, str(error), fixes.RELOAD, error.__cause__))
                yield Check(
                    name="Predict after fit", outcome=Outcome.SKIPPED, summary="the new version does not load"
                )
                self._number = 0
                return
        self._database.write(lambda connection: versions.activate(connection, self._project, self._number))
        check.summary = f"{before} → {self._version}"
        yield check
        yield self._predict_after()

    def _predict_after(self) -> Check:
        asked = self._ask(self._tasks)
        self._later = _regions(asked.predictions)
        check = Check(name="Predict after fit", outcome=Outcome.OK, seconds=asked.seconds)
        known = {problem.task for one in self._singles for problem in one.problems}
        problems = [
            self._problem(check.name, f"task {one.task}: {one.message}", fixes.AFTER_FIT, asked.raised)
            for one in asked.problems
            if one.task not in known
        ]
        if problems:
            return _failed(check, *problems)
        earlier = self._batch.predictions if self._batch else [one.predictions[0] for one in self._singles]
        changed = sum(bool(_difference([new], [old])) for new, old in zip(asked.predictions, earlier, strict=True))
        good = sum(map(bool, asked.predictions))
        check.summary = f"{good} of {_count(len(self._tasks), 'task')}, {changed or 'none'} changed"
        return check

    def _problem(
        self, check: str, message: str, fix: str, error: BaseException | None = None, task: Json | None = None
    ) -> Problem:
        name = str(task["id"]) if task else ""
        message = f"task {name}: {message}" if name else message
        if isinstance(error, PredictError):
            error = None
        return Problem(
            check=check,
            message=message,
            fix=fix,
            task=name,
            where=where(error, self._folder),
            detail=detail(error, self._folder),
        )


def completed(task: Json, number: int) -> Json:
    """A task as Label Studio has it, from one that may be nothing but its data."""
    content = task if isinstance(task.get("data"), dict) else {"data": task}
    return {"id": number, "annotations": [], "predictions": [], "meta": {}, **content}


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"


def _failed(check: Check, *problems: Problem, outcome: Outcome = Outcome.FAILED) -> Check:
    return msgspec.structs.replace(
        check, outcome=outcome, problems=[*check.problems, *problems], summary=check.summary
    )


def _skip(names: Iterable[str], why: str) -> Iterator[Check]:
    for name in names:
        yield Check(name=name, outcome=Outcome.SKIPPED, summary=why)


def _decoded(item: bytes) -> list[Json]:
    found = msgspec.json.decode(item)
    return found if isinstance(found, list) else [found]


def _regions(predictions: Iterable[list[Json]]) -> int:
    return sum(len(prediction["result"]) for item in predictions for prediction in item)


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for part in value.values():
            yield from _leaves(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _leaves(part)
    else:
        yield value


def _raw(asked: _Asked) -> Iterator[Json]:
    """The predictions as the author gave them."""
    for call in asked.calls:
        for item in call.items:
            with contextlib.suppress(PredictError):
                yield from responses.as_predictions(item)


def _not_finite(asked: _Asked) -> list[str]:
    """NaN and infinity have no JSON form: what was meant gets lost on the way."""
    with contextlib.suppress(PredictError):
        for leaf in _leaves(responses.as_json(list(_raw(asked)))):
            if isinstance(leaf, float) and not math.isfinite(leaf):
                return [f"the prediction holds {leaf}, which JSON cannot express"]
    return []


def _converted(singles: list[_Asked]) -> str:
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


_VOLATILE = ("id", "from_id", "to_id", "parentID", "model_version", "created_at")


def _steady(value: Any) -> Any:
    """Without what is new each time."""
    if isinstance(value, dict):
        return {key: _steady(part) for key, part in value.items() if key not in _VOLATILE}
    return [_steady(part) for part in value] if isinstance(value, list) else value


def _difference(found: list[list[Json]], expected: list[list[Json]]) -> str:
    """Where predictions differ; empty when they are about equal."""
    try:
        compare_nested_structures(_steady(found), _steady(expected), rel=1e-3, abs=1e-3)
    except AssertionError as error:
        return str(error).removeprefix("[0][0].")
    return ""


@contextlib.contextmanager
def _clock(check: Check) -> Iterator[None]:
    started = time.perf_counter()
    try:
        yield
    finally:
        check.seconds = time.perf_counter() - started


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The report says what went wrong; our own log need not say it again."""
    logger = logging.getLogger("label_studio_ml")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(level)
