"""Goes through everything Label Studio will do with a backend, in the calling process, and reports what happens.

Knows nothing of how the report looks.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import tempfile
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import msgspec
from label_studio_sdk.label_interface import LabelInterface

from .. import settings as settings_module
from ..author import loading
from ..errors import BackendError, LoadError, one_line
from ..processes.messages import Source
from ..stage.api import Stage
from ..stage.environment import label_studio_environment
from ..store.database import Database
from . import fixes, learning, predicting
from .comparison import regions
from .configs import LabelConfig
from .plan import Plan
from .predicting import Predicted
from .report import NOT_REACHED, Check, Outcome, Problem, Report, clock, failed
from .under_test import BackendUnderTest, Json, Place
from .watched import WatchedHost, detail, folder_of, peak_memory, where

Tell = Callable[[Check], None]
_FIRST = ("Labeling config", "Load")


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Tried:
    """What is known in the end, besides the checks."""

    model_class: str
    """Its name."""
    generation: int | None = None
    """Of its fit(); None where nothing is trained."""
    tasks: int = 0
    """How many it was asked about."""
    predicted: Predicted | None = None
    later: int = 0
    """Regions that its new version predicted."""


def run_checks(
    subject: Source | type[Any], plan: Plan, kwargs: Json | None = None, tell: Tell = lambda _check: None
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
    done: list[Check] = []
    with _place(plan) as place:
        tried = _follow(_checks(subject, plan, kwargs or {}, place), done, tell)
    return Report(
        model_class=tried.model_class,
        generation=tried.generation,
        label_config=plan.label_config.source,
        tasks=tried.tasks,
        checks=[*_concluded(done, tried), *_not_reached(done, tried.generation)],
        tasks_per_second=tried.predicted.tasks_per_second if tried.predicted else None,
        peak_memory=peak_memory(),
    )


@contextlib.contextmanager
def _place(plan: Plan) -> Iterator[Place]:
    """A played Label Studio and a store, which are gone afterwards."""
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
        yield Place(stage, settings, database)


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


def _follow(checks: Generator[Check, None, _Tried], done: list[Check], tell: Tell) -> _Tried:
    """Go through the checks, and return what they return in the end."""
    while True:
        try:
            check = next(checks)
        except StopIteration as end:
            tried: _Tried = end.value
            return tried
        done.append(check)
        tell(check)


def _checks(subject: Source | type[Any], plan: Plan, kwargs: Json, place: Place) -> Generator[Check, None, _Tried]:
    """All of them, in order, as far as they can be reached."""
    model_class, given = (subject, {}) if isinstance(subject, type) else (yield from _import(subject))
    if model_class is None:
        return _Tried(model_class=Path(subject.path).name if isinstance(subject, Source) else "")
    host = WatchedHost(model_class, {**given, **kwargs}, place.settings, place.database)
    tried = _Tried(model_class=model_class.__name__, generation=_generation(host, plan))
    interface = yield from _understand(plan.label_config)
    if interface is None:
        return tried
    folder = subject.folder if isinstance(subject, Source) else folder_of(model_class)
    backend = BackendUnderTest(host, place, plan, interface, folder)
    tried = dataclasses.replace(tried, tasks=len(backend.tasks))
    if not (yield from _load(backend)):
        return tried
    predicted = yield from predicting.run(backend)
    later = yield from learning.run(backend, predicted)
    return dataclasses.replace(tried, predicted=predicted, later=later)


def _import(subject: Source) -> Generator[Check, None, tuple[type[Any] | None, Json]]:
    """The author's class and arguments for its constructor; None where its file cannot be imported."""
    check = Check(name="Import", outcome=Outcome.OK, summary=Path(subject.path).name)
    try:
        with clock(check):
            model_class, given = loading.load(subject)
    except LoadError as error:
        cause = error.__cause__
        problem = Problem(
            check=check.name,
            message=str(error),
            fix=fixes.IMPORT,
            where=where(cause, subject.folder),
            detail=detail(cause, subject.folder),
        )
        yield failed(check, problem)
        return None, {}
    yield check
    return model_class, given


def _generation(host: WatchedHost, plan: Plan) -> int | None:
    if plan.fit:
        with contextlib.suppress(BackendError):
            about = host.describe()
            return about.generation if about.learns else None
    return None


def _understand(config: LabelConfig) -> Generator[Check, None, LabelInterface | None]:
    """The SDK's view of the labeling config; None where Label Studio would refuse it."""
    check = Check(name="Labeling config", outcome=Outcome.OK)
    try:
        interface = LabelInterface(config=config.xml)
        interface.validate()
        controls = list(interface.controls)
        check.summary = ", ".join(f"{one.tag} {one.name!r} on {','.join(one.to_name)!r}" for one in controls)
        if not controls:
            raise ValueError("it has no control tag")
    except Exception as error:  # noqa: BLE001 - the SDK has many ways to say no
        message = f"Label Studio would refuse {config.source}: {one_line(error)}"
        yield failed(check, Problem(check=check.name, message=message, fix=fixes.CONFIG))
        return None
    yield check
    return interface


def _load(backend: BackendUnderTest) -> Generator[Check, None, bool]:
    """Whether it loads."""
    check = Check(name="Load", outcome=Outcome.OK)
    try:
        with clock(check):
            backend.load()
    except BackendError as error:
        yield failed(check, backend.problem(check.name, str(error), fixes.LOAD, error.__cause__))
        return False
    check.summary = f"version {backend.version}"
    yield check
    return True


def _concluded(checks: list[Check], tried: _Tried) -> list[Check]:
    """The checks, with what is only known in the end: why no task got a prediction that shows anything."""
    predicted = tried.predicted
    if predicted is None or any(asked.problems or regions(asked.predictions) for asked in predicted.singles):
        return checks
    return [_nothing_shown(check, tried, predicted) if check.name == "Predict" else check for check in checks]


def _nothing_shown(check: Check, tried: _Tried, predicted: Predicted) -> Check:
    if predicted.clicked:
        return msgspec.structs.replace(check, summary="nothing without a click: an interactive model")
    if tried.later:
        return msgspec.structs.replace(check, summary="nothing before a training")
    message = f"none of the {tried.tasks} sample tasks got a prediction that shows anything"
    problem = Problem(check=check.name, message=message, fix=fixes.NOTHING_SHOWN)
    return failed(check, problem, outcome=Outcome.WARNING)


def _not_reached(done: list[Check], generation: int | None) -> list[Check]:
    names = (*_FIRST, *predicting.NAMES, *(learning.NAMES[generation] if generation else ("Fit",)))
    known = {check.name for check in done}
    return [Check(name=name, outcome=Outcome.SKIPPED, summary=NOT_REACHED) for name in names if name not in known]
