"""Goes through everything Label Studio will do with a backend, in the calling process, and reports what happens.

The author's class runs in the same `ModelHost` and the same trainer as on a server, over a store in a folder that
is gone afterwards. Knows nothing of how the report looks.
"""

from __future__ import annotations

import contextlib
import logging
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from label_studio_sdk.label_interface import LabelInterface
from sqlalchemy import Connection

from .. import settings as settings_module
from ..author import source
from ..errors import BackendError, LoadError, one_line
from ..processes.messages import Source
from ..stage import samples
from ..stage.api import Stage
from ..stage.environment import label_studio_environment
from ..store import projects
from ..store.database import Database
from ..wire import records
from . import fixes, learning, predicting
from .report import NOT_REACHED, Check, Outcome, Problem, Report
from .scene import Json, Plan, Scene, Stop, clock, failed, regions
from .watched import WatchedHost, detail, folder_of, peak_memory, where

_FIRST = ("Labeling config", "Load")


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
        with contextlib.suppress(Stop):
            model_class, given = _imported(subject, report, tell)
            report.model_class = model_class.__name__
            host = WatchedHost(model_class, {**given, **(kwargs or {})}, settings, database)
            own = subject.folder if isinstance(subject, Source) else folder_of(model_class)
            scene = Scene(host, database, settings, plan, stage, own)
            with contextlib.suppress(Stop):
                for check in _run(scene):
                    report.checks.append(check)
                    tell(check)
            _conclude(scene, report)
    done = {check.name for check in report.checks}
    expected = (*_FIRST, *predicting.NAMES, *(learning.NAMES[report.generation] if report.generation else ("Fit",)))
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
        with clock(check):
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
        report.checks[0] = failed(check, found)
        raise Stop from None
    finally:
        tell(report.checks[0])


def _run(scene: Scene) -> Iterator[Check]:
    yield from _understand(scene)
    yield from _load(scene)
    yield from predicting.run(scene)
    yield from learning.run(scene)


def _understand(scene: Scene) -> Iterator[Check]:
    config = scene.plan.label_config
    check = Check(name="Labeling config", outcome=Outcome.OK)
    try:
        scene.interface = LabelInterface(config=config.xml)
        scene.interface.validate()
        controls = list(scene.interface.controls)
        check.summary = ", ".join(f"{one.tag} {one.name!r} on {','.join(one.to_name)!r}" for one in controls)
        if not controls:
            raise ValueError("it has no control tag")
    except Exception as error:  # noqa: BLE001 - the SDK has many ways to say no
        message = f"Label Studio would refuse {config.source}: {one_line(error)}"
        yield failed(check, Problem(check=check.name, message=message, fix=fixes.CONFIG))
        raise Stop from None
    given = scene.plan.tasks
    scene.tasks = [records.completed(task, number) for number, task in enumerate(given, 1)] or samples.tasks(
        scene.interface, scene.plan.count, scene.stage.publish, scene.project
    )
    scene.stage.show(scene.tasks)
    yield check


def _load(scene: Scene) -> Iterator[Check]:
    hostname = scene.plan.hostname or scene.stage.hostname
    token = scene.plan.access_token or scene.stage.token
    config = scene.plan.label_config.xml

    def save(connection: Connection) -> None:
        projects.save(connection, scene.project, label_config=config, hostname=hostname, access_token=token)

    scene.database.write(save)
    check = Check(name="Load", outcome=Outcome.OK)
    with clock(check):
        try:
            scene.host.describe()
            scene.version = scene.host.warm(scene.project, config, 0)
        except BackendError as error:
            problem = scene.problem(check.name, str(error), fixes.LOAD, error.__cause__)
            check = failed(check, problem)
    if check.outcome is Outcome.OK:
        check.summary = f"version {scene.version}"
    yield check
    if check.outcome is Outcome.FAILED:
        raise Stop


def _conclude(scene: Scene, report: Report) -> None:
    """What is only known at the end."""
    report.tasks, report.tasks_per_second = len(scene.tasks), scene.speed
    with contextlib.suppress(BackendError):
        about = scene.host.describe()
        report.generation = about.generation if about.learns and scene.plan.fit else None
    check = next((one for one in report.checks if one.name == "Predict"), None)
    shown = sum(regions(asked.predictions) for asked in scene.singles)
    if check is None or shown or any(asked.problems for asked in scene.singles):
        return
    if scene.clicked:
        check.summary = "nothing without a click: an interactive model"
    elif scene.later:
        check.summary = "nothing before a training"
    else:
        message = f"none of the {len(scene.tasks)} sample tasks got a prediction that shows anything"
        check.outcome = Outcome.WARNING
        check.problems = [*check.problems, Problem(check="Predict", message=message, fix=fixes.NOTHING_SHOWN)]


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
