"""Everything one server consists of: made in order when it starts, ended in the opposite order when it stops."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator, Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import logs
from ..errors import StoreError, UsageError
from ..predict.clients import Clients
from ..predict.pool import Pool
from ..predict.runner import Runner
from ..processes.messages import Description, Source
from ..settings import Settings, named_secrets, secrets
from ..store import projects
from ..store.database import Database
from ..train import promotion
from ..train.intake import Intake
from ..train.process import Trainer
from ..train.runner import Trains
from ..train.scheduler import Scheduler
from ..wire import requests
from .active_versions import ActiveVersions
from .metrics import Gauges, Metrics
from .problems import Problems
from .rollout import Rollout
from .training import Training

_CHILD_PATIENCE = 5.0
"""Seconds that workers have to end in order: requests in flight have had their time before."""


@dataclass(frozen=True, kw_only=True)
class Services:
    """The parts of a running server that its handlers, and whoever runs it, use."""

    settings: Settings
    database: Database
    metrics: Metrics
    problems: Problems
    active: ActiveVersions
    runner: Runner
    clients: Clients
    trainers: Sequence[Trains]
    rollout: Rollout
    scheduler: Scheduler
    training: Training

    def kill(self) -> None:
        """End every child process now."""
        for trainer in self.trainers:
            trainer.kill()
        self.runner.kill()

    def close(self) -> None:
        """End where no event loop can be waited for any more: child processes at once, then the store."""
        self.kill()
        self.database.close()


@contextlib.asynccontextmanager
async def open_services(
    settings: Settings, source: Source | type[Any], kwargs: dict[str, Any] | None = None
) -> AsyncIterator[Services]:
    """Start a server's parts, and end them when it is left.

    Args:
        settings: how it runs.
        source: where child processes import the class from; or the class itself, to run it in this process.
        kwargs: arguments for the class's constructor, on top of those of the source.

    Raises:
        UsageError: a setting makes no sense together with the backend.
        StoreError: the model folder cannot be made, or the database not opened.
    """
    promotion.parse(settings.promote_if)  # a mistake in it is better known now than after a long training
    logs.hide(*secrets(settings), *named_secrets(kwargs or {}), own=True)
    async with contextlib.AsyncExitStack() as stack:
        if isinstance(source, type):
            settings = dataclasses.replace(settings, train_debounce=0.0)  # tests should not wait for more events
            services = await _in_process(settings, source, kwargs or {}, stack)
        else:
            source = Source(source.path, source.class_name, {**source.kwargs, **(kwargs or {})})
            services = await _with_children(settings, source, stack)
        yield services


async def _in_process(
    settings: Settings, model_class: type[Any], kwargs: dict[str, Any], stack: contextlib.AsyncExitStack
) -> Services:
    """A server whose model predicts and learns in the calling process."""
    from ..author.host import ModelHost
    from ..predict.in_process import InProcess
    from ..train import in_process

    base = await _open_base(settings, stack)
    host = ModelHost(model_class, kwargs, settings, base.database)
    runner = InProcess(host, settings, base.active.number)
    trainers = [in_process.InProcess(host, settings, base.database)]
    services = await _compose(base, runner, trainers, stack, in_process=True)
    await runner.start()
    return services


async def _with_children(settings: Settings, source: Source, stack: contextlib.AsyncExitStack) -> Services:
    """A server whose model predicts and learns in child processes."""
    base = await _open_base(settings, stack)
    preloaded = await _preloaded(base) if settings.preload else []
    forwarded = _as_given(settings)
    pool = Pool(source, settings, forwarded, base.active.number, base.metrics.restarts.inc, preloaded)
    trainers = [Trainer(source, forwarded, settings.trainer_idle) for _ in range(settings.trainers)]
    services = await _compose(base, pool, trainers, stack, in_process=False)
    await pool.start()
    loops = [services.rollout.main_loop(), services.scheduler.main_loop()]
    if settings.reload:
        from ..predict import reload

        async def renew() -> None:
            await pool.reload()
            for trainer in trainers:
                trainer.renew()

        loops.append(reload.follow(source.folder, settings.model_dir, renew))
    _run(loops, stack)
    return services


@dataclass(frozen=True, kw_only=True)
class _Base:
    """What does not depend on where the model runs."""

    settings: Settings
    database: Database
    known: list[projects.Project]
    """The projects in the store at the start."""
    metrics: Metrics
    active: ActiveVersions


async def _open_base(settings: Settings, stack: contextlib.AsyncExitStack) -> _Base:
    _make_folders(settings.model_dir)
    database = Database(settings.database)
    stack.push_async_callback(asyncio.to_thread, database.close)
    await asyncio.to_thread(database.migrate)
    known = await database.read_async(projects.all_projects)
    logs.hide(*(project.access_token for project in known))
    active = ActiveVersions(database)
    return _Base(settings=settings, database=database, known=known, metrics=Metrics(), active=active)


async def _compose(
    base: _Base, runner: Runner, trainers: Sequence[Trains], stack: contextlib.AsyncExitStack, *, in_process: bool
) -> Services:
    settings, database, metrics, active = base.settings, base.database, base.metrics, base.active

    def description() -> Description | None:
        return runner.status.description

    problems = Problems(metrics)
    stack.push_async_callback(runner.stop, _CHILD_PATIENCE)
    clients = Clients(runner, settings, problems, active.number, metrics.waited)
    stack.push_async_callback(clients.stop)
    for trainer in trainers:
        stack.push_async_callback(trainer.stop)
    rollout = Rollout(database, active, runner)
    scheduler = Scheduler(database, trainers, settings, description, rollout.wake, problems.job_ended)
    intake = Intake(database, description, scheduler.rules)
    metrics.include(
        Gauges(
            queued_tasks=lambda: clients.queued_tasks,
            ready=lambda: runner.status.state == "ready",
            memory=lambda: runner.memory,
            versions=active.overview,
        )
    )
    return Services(
        settings=settings,
        database=database,
        metrics=metrics,
        problems=problems,
        active=active,
        runner=runner,
        clients=clients,
        trainers=trainers,
        rollout=rollout,
        scheduler=scheduler,
        training=Training(intake, scheduler, rollout, problems, in_process=in_process),
    )


def _run(loops: Sequence[Coroutine[Any, Any, None]], stack: contextlib.AsyncExitStack) -> None:
    """Have these run until the server stops."""
    tasks = [asyncio.get_running_loop().create_task(loop) for loop in loops]

    async def end() -> None:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    stack.push_async_callback(end)


async def _preloaded(base: _Base) -> list[tuple[str, str | None]]:
    """What is loaded at the start: the projects with the given labeling config, or none in particular.

    Raises:
        UsageError: the file cannot be read, or is no labeling config.
    """
    path = Path(base.settings.preload)
    try:
        config = await asyncio.to_thread(path.read_text, encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--preload: cannot read {path}: {error}.") from error
    if problem := requests.config_problem(config):
        raise UsageError(f"--preload: {path} is not a labeling config: {problem}.")
    found = [project.id for project in base.known if (project.label_config or "").strip() == config.strip()]
    for project_id in found:
        await base.active.know(project_id)
    return [(project_id, config) for project_id in found or [""]]


def _make_folders(model_dir: Path) -> None:
    """Logs and models are made of people's data: what is made here is for the server's own user alone."""
    for folder in (model_dir, model_dir / "jobs", model_dir / "versions"):
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"Cannot make the model folder {folder}: {error.strerror}.") from error


def _as_given(settings: Settings) -> dict[str, Any]:
    """The settings that differ from the defaults, in a form that crosses to another process."""
    return {
        spec.name: str(value) if spec.name == "model_dir" else value
        for spec in dataclasses.fields(settings)
        if (value := getattr(settings, spec.name)) != spec.default
    }
