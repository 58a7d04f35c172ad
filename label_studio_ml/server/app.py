"""The composition root: one server out of its parts, as an ASGI application with a lifespan."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
from collections.abc import AsyncIterator, Awaitable, Sequence
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .. import logs
from ..errors import BackendError, StoreError, UsageError
from ..predict.dispatcher import Dispatcher
from ..predict.pool import Pool
from ..predict.runner import Runner
from ..processes.messages import Description, Source
from ..settings import Settings, named_secrets, secrets
from ..store import jobs, projects
from ..store.database import Database
from ..train import promotion
from ..train.intake import Intake
from ..train.process import Trainer
from ..train.runner import Trains
from ..train.scheduler import Scheduler
from ..wire import requests
from . import errors, statuses
from .active_versions import Serving
from .counting import Counting
from .handlers.label_studio import Api
from .handlers.management import Management
from .handlers.predict import Predict
from .handlers.state import State
from .metrics import Metrics
from .security import Security

_CHILD_PATIENCE = 5.0
_log = logging.getLogger(__name__)


class Server:
    """Everything one server consists of. `start` and `stop` are called by the application's lifespan."""

    runner: Runner

    def __init__(
        self, settings: Settings, source: Source | type[Any], kwargs: dict[str, Any] | None = None
    ) -> None:
        """Prepare a server; nothing is opened or started yet.

        Args:
            settings: how it runs.
            source: where child processes import the class from; or the class itself, to run it in this process.
            kwargs: arguments for the class's constructor, on top of those of the source.
        """
        promotion.parse(settings.promote_if)  # a mistake in it is better known now than after a long training
        if isinstance(source, type):
            settings = dataclasses.replace(settings, train_debounce=0.0)  # tests should not wait for more events
        self.settings = settings
        self._source, self._kwargs = source, kwargs or {}
        self._tasks: list[asyncio.Task[None]] = []
        self.state = State(self)
        self.operations = [
            *self.state.operations(),
            *Api(self).operations(),
            *Management(self).operations(),
        ]
        self.metrics = Metrics()

    async def start(self) -> None:
        """Open the store, start the workers and the loops.

        Raises:
            StoreError: the model folder cannot be made, or the database not opened.
        """
        logs.hide(*secrets(self.settings), *named_secrets(self._kwargs))
        self._make_folders()
        self.database = Database(self.settings.database)
        await asyncio.to_thread(self.database.migrate)
        known = await self.database.read_async(projects.all_projects)
        logs.hide(*(project.access_token for project in known))
        self.serving = Serving(self.database)
        self.runner, trainers = self._runners(await self._preloaded(known))
        self.serving.runner = self.runner
        self.dispatcher = Dispatcher(
            self.runner, self.settings, self.state, self.serving.number, self.metrics.waited
        )
        self.scheduler = Scheduler(
            self.database, trainers, self.settings, self._description, self.serving.nudge, self._job_ended
        )
        self.intake = Intake(self.database, self._description, self.scheduler.rules)
        self._trainers = trainers
        self.metrics.watch(
            lambda: self.dispatcher.queued_tasks,
            lambda: float(self.runner.status.state == "ready"),
            lambda: self.runner.memory,
            self.serving.overview,
        )
        await self.runner.start()
        if not self.in_process:
            loop = asyncio.get_running_loop()
            loops = [self.serving.main_loop(), self.scheduler.main_loop()]
            if self.settings.reload and isinstance(self._source, Source):
                from ..predict import reload

                loops.append(reload.follow(self._source.folder, self.settings.model_dir, self._reload))
            self._tasks = [loop.create_task(work) for work in loops]

    async def _preloaded(self, known: list[projects.Project]) -> list[tuple[str, str | None]]:
        """What is loaded at the start: the projects with the given labeling config, or none in particular.

        Raises:
            UsageError: the file cannot be read, or is no labeling config.
        """
        if not self.settings.preload or self.in_process:
            return []
        path = Path(self.settings.preload)
        try:
            config = await asyncio.to_thread(path.read_text, encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"--preload: cannot read {path}: {error}.") from error
        if problem := requests.config_problem(config):
            raise UsageError(f"--preload: {path} is not a labeling config: {problem}.")
        found = [project.id for project in known if (project.label_config or "").strip() == config.strip()]
        for project_id in found:
            await self.serving.know(project_id)
        return [(project_id, config) for project_id in found or [""]]

    async def _reload(self) -> None:
        assert isinstance(self.runner, Pool)  # noqa: S101 - the only one that has something to reload
        await self.runner.reload()
        for trainer in self._trainers:
            trainer.renew()

    def _make_folders(self) -> None:
        """Logs and models are made of people's data: what is made here is for the server's own user alone."""
        for folder in (self.settings.model_dir, *(self.settings.model_dir / name for name in ("jobs", "versions"))):
            try:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            except OSError as error:
                raise StoreError(f"Cannot make the model folder {folder}: {error.strerror}.") from error

    async def stop(self) -> None:
        """End in order: loops, trainer, workers, store."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for trainer in self._trainers:
            await trainer.stop()
        await self.dispatcher.stop()
        await self.runner.stop(_CHILD_PATIENCE)  # requests in flight have had their time already
        await asyncio.to_thread(self.database.close)

    def close(self) -> None:
        """End where no event loop can be waited for any more: child processes at once, then the store."""
        self.kill()
        self.database.close()

    def kill(self) -> None:
        """End every child process now."""
        for trainer in self._trainers:
            trainer.kill()
        self.runner.kill()

    @property
    def in_process(self) -> bool:
        """Whether the model runs in this process."""
        return isinstance(self._source, type)

    async def settle_in_process(self) -> None:
        """In the calling process training happens before the reply, so that authors' tests can look at it."""
        if self.in_process:
            while await self.scheduler.step():
                await self.serving.refresh()

    def _runners(self, preloaded: Sequence[tuple[str, str | None]]) -> tuple[Runner, list[Trains]]:
        if isinstance(self._source, type):
            from ..author.host import ModelHost
            from ..predict.in_process import InProcess
            from ..train import in_process

            host = ModelHost(self._source, self._kwargs, self.settings, self.database)
            runner = InProcess(host, self.settings, self.serving.number)
            return runner, [in_process.InProcess(host, self.settings, self.database)]
        source = Source(self._source.path, self._source.class_name, {**self._source.kwargs, **self._kwargs})
        forwarded = _as_given(self.settings)
        restarted = self.metrics.restarts.inc
        pool = Pool(source, self.settings, forwarded, self.serving.number, restarted, preloaded)
        idle = self.settings.trainer_idle
        return pool, [Trainer(source, forwarded, idle) for _ in range(self.settings.trainers)]

    def _description(self) -> Description | None:
        return self.runner.status.description

    def _job_ended(self, job: jobs.Job, state: jobs.JobState, error: str) -> None:
        self.metrics.jobs.labels(state.value).inc()
        if state is jobs.JobState.FAILED:
            self.state.remember(job.project_id, "", f"Training failed: {error}")


@contextlib.asynccontextmanager
async def running(server: Server) -> AsyncIterator[None]:
    """Have the server started as long as this lasts."""
    await server.start()
    try:
        yield
    finally:
        await server.stop()


def routes(server: Server) -> list[Route]:
    """What Starlette's router knows."""
    return [Route(operation.path, handler, methods=[operation.method]) for operation, handler in server.operations]


def create_app(server: Server) -> ASGIApp:
    """The ASGI application of a server."""
    predict = Predict(server)
    starlette = Starlette(
        routes=routes(server),
        exception_handlers={
            BackendError: errors.on_error,
            HTTPException: errors.on_http_error,
            Exception: errors.on_error,
        },
        lifespan=lambda _app: running(server),
    )
    starlette.router.redirect_slashes = False
    paths = {operation.path for operation, _ in server.operations}
    return Counting(Security(Fork(predict, starlette), server.settings), server.metrics, paths)


class Fork:
    """`POST /predict` straight to its handler, every other call through Starlette's router."""

    def __init__(self, predict: Predict, others: ASGIApp) -> None:
        self._predict, self._others = predict, others

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[int]:
        """Pass a call on; not a coroutine function itself, which `/predict` would pay for."""
        if scope["type"] == "http" and scope["path"] == "/predict" and scope["method"] == "POST":
            return self._predict(scope, receive, send)
        return self._route(scope, receive, send)

    async def _route(self, scope: Scope, receive: Receive, send: Send) -> int:
        status = statuses.FAILED

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        await self._others(scope, receive, noted)
        return status


def _as_given(settings: Settings) -> dict[str, Any]:
    """The settings that differ from the defaults, in a form that crosses to another process."""
    return {
        spec.name: str(value) if spec.name == "model_dir" else value
        for spec in dataclasses.fields(settings)
        if (value := getattr(settings, spec.name)) != spec.default
    }
