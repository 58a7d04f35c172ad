"""How the server is, for people, programs and Prometheus; and the failures that it remembers."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ... import __version__, logs
from ...processes.messages import Description, Problem
from ...wire import events as protocol
from ...wire import replies
from ..openapi import TEXT, Handler, Operation, document, get
from ..pages import page

if TYPE_CHECKING:
    from ..app import Server

_KEPT_PROBLEMS = 20


class State:
    """The state of one server. Also the dispatcher's `Observer`."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._problems: deque[dict[str, Any]] = deque(maxlen=_KEPT_PROBLEMS)
        self.store_problem = ""

    def operations(self) -> list[tuple[Operation, Handler]]:
        """The calls, for the router and for the OpenAPI document."""
        html, figures, json = (
            (("text/html", TEXT),),
            (("text/plain", TEXT),),
            (("application/json", {"type": "object"}),),
        )
        return [
            (get("/", "The state of this backend, for people and programs.", replies.State, also=html), self.index),
            (get("/health", "Whether the server is up, and how the model is.", replies.Health), self.health),
            (get("/metrics", "Figures for Prometheus.", None, also=figures), self.metrics),
            (get("/openapi.json", "This document.", None, also=json), self.openapi),
        ]

    async def health(self, request: Request) -> Response:
        """`GET /health`."""
        return JSONResponse(await self._state(everything=bool(request.scope.get("authenticated"))))

    async def index(self, request: Request) -> Response:
        """`GET /`: the same as JSON, or a page for a browser."""
        state = await self._state(everything=True)
        if "text/html" in request.headers.get("accept", ""):
            address = f"{request.scope['scheme']}://{request.headers.get('host', 'localhost')}"
            html = page.render(state, address + request.scope.get("root_path", ""))
            return Response(html, headers=page.HEADERS, media_type="text/html")
        return JSONResponse(state)

    async def _state(self, *, everything: bool) -> dict[str, Any]:
        server = self._server
        status = server.runner.status
        model: dict[str, Any] = {"state": status.state}
        if status.error:
            model["error"] = status.error
        store = {"state": "failed", "error": self.store_problem} if self.store_problem else {"state": "ok"}
        if not everything:  # whoever shows no credentials learns no more than a load balancer needs
            return {"status": "UP", "model": {"state": status.state}}
        return {
            "status": "UP",
            "model_class": status.description.model_class if status.description else None,
            "model_dir": str(server.settings.model_dir),
            "version": __version__,
            "model": model,
            "store": store,
            "problems": list(self._problems),
            "queued_tasks": server.dispatcher.queued_tasks,
            "projects": server.serving.overview(),
            **self._events_used(status.description),
        }

    def _events_used(self, description: Description | None) -> dict[str, list[str]]:
        """The events that train, and those that Label Studio's webhook has to send."""
        if description is None:
            return {}
        trains = description.train_events if description.learns else []
        return {"train_events": trains, "webhook_events": self._webhook_events(description)}

    def _webhook_events(self, description: Description) -> list[str]:
        """What Label Studio's webhook has to send: `label-studio-ml connect` narrows it to that."""
        rules = self._server.scheduler.rules(description)
        if not description.learns or rules.on == "never":
            return protocol.wanted([], keeps_annotations=False)
        counted = description.generation == 1 or rules.every > 1 or rules.min_annotations > 0
        return protocol.wanted(description.train_events, keeps_annotations=counted)

    async def metrics(self, _request: Request) -> Response:
        """`GET /metrics`."""
        return Response(self._server.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    async def openapi(self, _request: Request) -> Response:
        """`GET /openapi.json`."""
        return JSONResponse(document([operation for operation, _ in self._server.operations]))

    def predicted(self, tasks: int, requests: int, seconds: float) -> None:
        """The dispatcher made a call of predict()."""
        self._server.metrics.predicted(tasks, requests, seconds)

    def problem(self, project_id: str, problem: Problem) -> None:
        """A task got no prediction."""
        self._server.metrics.problem(project_id, problem)
        self.remember(
            project_id, problem.task, problem.message, reason=problem.reason, control=problem.control or None
        )

    def remember(self, project_id: str, task: str, message: str, **more: str | None) -> None:
        """Keep a failure for `/health`."""
        when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        known = {name: value for name, value in more.items() if value is not None}
        self._problems.append(
            {"time": when, "project": project_id, "task": task, "message": logs.redact(message), **known}
        )

    def forget(self, project_id: str) -> None:
        """The project was deleted."""
        for problem in [one for one in self._problems if one["project"] == project_id]:
            self._problems.remove(problem)
