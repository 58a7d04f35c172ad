"""The ASGI application of a server: which handler is given which services, and what lies round them."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Iterable
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..errors import BackendError
from ..processes.messages import Source
from ..settings import Settings
from ..train.manage import Manager
from . import errors, operations, statuses
from .counting import Counting
from .handlers.health import Health
from .handlers.jobs import Jobs
from .handlers.predict import OPERATION as PREDICT
from .handlers.predict import Predict
from .handlers.projects import Projects
from .handlers.versions import Versions
from .handlers.webhooks import Webhooks
from .openapi import document
from .security import Security
from .services import Services, open_services

OPERATIONS = [
    PREDICT,
    *(
        operation
        for group in (Health, Projects, Webhooks, Jobs, Versions)
        for operation in operations.operations(group)
    ),
]
"""Every call that a server answers."""


def create_app(services: Services) -> ASGIApp:
    """The application over the parts of a running server."""
    settings = services.settings
    predict = Predict(services.clients, services.active, services.problems, settings.max_body_size)
    others = Starlette(
        routes=[
            Route(PREDICT.path, predict, methods=[PREDICT.method]),
            *(route for group in _handlers(services) for route in operations.routes(group, settings.max_body_size)),
        ],
        exception_handlers={
            BackendError: errors.on_error,
            HTTPException: errors.on_http_error,
            Exception: errors.on_error,
        },
    )
    others.router.redirect_slashes = False
    paths = {operation.path for operation in OPERATIONS}
    return Counting(Security(Fork(predict, others), settings), services.metrics, paths)


def _handlers(services: Services) -> Iterable[object]:
    database, active, rollout = services.database, services.active, services.rollout
    model_dir = services.settings.model_dir
    manager = Manager(database, services.settings)
    yield Health(
        services.runner,
        services.clients,
        active,
        services.problems,
        services.metrics,
        services.scheduler.rules,
        model_dir,
        document(OPERATIONS),
    )
    yield Projects(database, active, rollout, services.runner, services.problems, model_dir)
    yield Webhooks(database, services.training, services.runner)
    yield Jobs(database, active, manager, services.training)
    yield Versions(database, active, rollout, manager, model_dir)


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


@contextlib.asynccontextmanager
async def running_app(
    settings: Settings, source: Source | type[Any], kwargs: dict[str, Any]
) -> AsyncIterator[ASGIApp]:
    """The application, whose server runs as long as this lasts."""
    async with open_services(settings, source, kwargs) as services:
        yield create_app(services)
