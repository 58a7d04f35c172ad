"""How the server is, for people, programs and Prometheus."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from msgspec import UNSET
from starlette.requests import Request
from starlette.responses import Response

from ... import __version__
from ...predict.clients import Clients
from ...predict.runner import Runner
from ...processes.messages import Description
from ...train.policy import Rules
from ...wire import events, replies
from ...wire.replies import known
from ..active_versions import ActiveVersions
from ..metrics import Metrics
from ..operations import TEXT, get
from ..pages import page
from ..problems import Problems


class Health:
    """The state of the backend in four forms."""

    def __init__(
        self,
        runner: Runner,
        clients: Clients,
        active: ActiveVersions,
        problems: Problems,
        metrics: Metrics,
        rules: Callable[[Description], Rules],
        model_dir: Path,
        document: Mapping[str, Any],
    ) -> None:
        """Prepare.

        Args:
            runner: knows how the model is.
            clients: knows what waits.
            active: knows which versions predict.
            problems: remembers what went wrong.
            metrics: the figures for Prometheus.
            rules: when a class trains.
            model_dir: where the server keeps everything.
            document: the OpenAPI document.
        """
        self._runner, self._clients, self._active = runner, clients, active
        self._problems, self._metrics, self._rules = problems, metrics, rules
        self._model_dir, self._document = model_dir, document

    @get("/", "The state of this backend, for people and programs.", also={"text/html": TEXT})
    async def index(self, request: Request) -> replies.State | Response:
        """`GET /`: as JSON, or a page for a browser."""
        state = self._state()
        if "text/html" not in request.headers.get("accept", ""):
            return state
        address = f"{request.scope['scheme']}://{request.headers.get('host', 'localhost')}"
        html = page.render(state, address + request.scope.get("root_path", ""))
        return Response(html, headers=page.HEADERS, media_type="text/html")

    @get("/health", "Whether the server is up, and how the model is.")
    async def health(self, request: Request) -> replies.Health:
        """`GET /health`: who shows no credentials learns no more than a load balancer needs."""
        if request.scope["authenticated"]:
            return self._state()
        return replies.Health(status="UP", model=replies.ModelHealth(self._runner.status.state))

    @get("/metrics", "Figures for Prometheus.", also={"text/plain": TEXT})
    async def metrics(self) -> Response:
        """`GET /metrics`."""
        return Response(self._metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    @get("/openapi.json", "This document.", also={"application/json": {"type": "object"}})
    async def openapi(self) -> Response:
        """`GET /openapi.json`."""
        return Response(json.dumps(self._document), media_type="application/json")

    def _state(self) -> replies.State:
        status = self._runner.status
        description = status.description
        return replies.State(
            status="UP",
            model=replies.ModelHealth(status.state, known(status.error or None)),
            model_class=description.model_class if description else None,
            model_dir=str(self._model_dir),
            version=__version__,
            store=self._problems.store,
            problems=self._problems.last,
            queued_tasks=self._clients.queued_tasks,
            projects=self._active.overview(),
            train_events=_train_events(description) if description else UNSET,
            webhook_events=self._webhook_events(description) if description else UNSET,
        )

    def _webhook_events(self, description: Description) -> list[str]:
        """What Label Studio's webhook has to send: `label-studio-ml connect` narrows it to that."""
        rules = self._rules(description)
        if not description.learns or rules.on == "never":
            return events.wanted([], keeps_annotations=False)
        counted = description.generation == 1 or rules.every > 1 or rules.min_annotations > 0
        return events.wanted(description.train_events, keeps_annotations=counted)


def _train_events(description: Description) -> list[str]:
    return description.train_events if description.learns else []
