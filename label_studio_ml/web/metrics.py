"""Figures for Prometheus at `/metrics`. Labels take few values, whatever a client sends."""

from __future__ import annotations

import time
from collections.abc import Callable

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..backend.answers import REASONS, Problem

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 100)
_METHODS = {"GET", "POST"}
_PREFIX = "label_studio_ml"


class Metrics:
    """The figures of one server."""

    def __init__(self, paths: set[str]) -> None:
        self._paths = paths
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        registry = self.registry
        self.requests = Counter(
            f"{_PREFIX}_http_requests", "Requests answered.", ["method", "path", "status"], registry=registry
        )
        self.request_seconds = Histogram(
            f"{_PREFIX}_http_request_seconds",
            "Time to answer a request.",
            ["path"],
            buckets=_SECONDS,
            registry=registry,
        )
        self.tasks = Counter(f"{_PREFIX}_predicted_tasks", "Tasks given to predict().", registry=registry)
        self.calls = Counter(f"{_PREFIX}_predict_calls", "Calls of predict().", registry=registry)
        self.merged = Counter(
            f"{_PREFIX}_predict_merged_requests", "Requests that shared a call with another.", registry=registry
        )
        self.call_seconds = Histogram(
            f"{_PREFIX}_predict_call_seconds", "Time in predict().", buckets=_SECONDS, registry=registry
        )
        self.problems = Counter(
            f"{_PREFIX}_prediction_problems",
            "Tasks that got no prediction.",
            ["kind", "reason"],
            registry=registry,
        )
        self.events = Counter(f"{_PREFIX}_events", "Events stored.", registry=registry)
        self.jobs = Counter(f"{_PREFIX}_jobs", "Training jobs that ended.", ["state"], registry=registry)
        self.restarts = Counter(
            f"{_PREFIX}_worker_restarts", "Predict workers that had to be replaced.", registry=registry
        )
        self._queued = Gauge(f"{_PREFIX}_queued_tasks", "Tasks waiting for a worker.", registry=registry)
        self._ready = Gauge(f"{_PREFIX}_model_ready", "1 when the model is loaded.", registry=registry)

    def watch(self, queued: Callable[[], float], ready: Callable[[], float]) -> None:
        """Read these whenever somebody asks for the figures."""
        self._queued.set_function(queued)
        self._ready.set_function(ready)

    def predicted(self, tasks: int, requests: int, seconds: float) -> None:
        """One call of predict() was made."""
        self.calls.inc()
        self.tasks.inc(tasks)
        if requests > 1:
            self.merged.inc(requests)
        self.call_seconds.observe(seconds)

    def problem(self, project_id: str, problem: Problem) -> None:  # noqa: ARG002 - projects are many
        """A task got no prediction."""
        reason = problem.reason if problem.reason in REASONS else "other"
        self.problems.labels(problem.kind, reason).inc()

    def text(self) -> bytes:
        """The figures in Prometheus' text format."""
        return generate_latest(self.registry)

    def middleware(self, app: ASGIApp) -> ASGIApp:
        """Count every request that passes."""

        async def counted(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                await app(scope, receive, send)
                return
            status = "500"
            started = time.perf_counter()

            async def noted(message: Message) -> None:
                nonlocal status
                if message["type"] == "http.response.start":
                    status = str(message["status"])
                await send(message)

            try:
                await app(scope, receive, noted)
            finally:
                path = scope["path"] if scope["path"] in self._paths else "other"
                method = scope["method"] if scope["method"] in _METHODS else "other"
                self.requests.labels(method, path, status).inc()
                self.request_seconds.labels(path).observe(time.perf_counter() - started)

        return counted
