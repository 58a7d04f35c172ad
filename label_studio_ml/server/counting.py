"""Counts every request by method, path and status, and how long it took."""

from __future__ import annotations

import time
from collections.abc import Iterable

from starlette.types import Receive, Scope, Send

from . import statuses
from .metrics import Histogram, Metrics
from .security import Answering

_METHODS = ("GET", "POST")
_OTHER = "other"


class Counting:
    """The outermost ASGI application. What clients make up counts as `other`."""

    def __init__(self, app: Answering, metrics: Metrics, paths: Iterable[str]) -> None:
        self._app = app
        methods, known = [*_METHODS, _OTHER], [*paths, _OTHER]
        self._seconds: dict[str, dict[str, dict[int, Histogram]]] = {
            path: {method: metrics.by_status(method, path) for method in methods} for path in known
        }
        self._unknown = self._seconds[_OTHER]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Have the request answered, and count it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        status = statuses.FAILED
        try:
            status = await self._app(scope, receive, send)
        finally:
            by_method = self._seconds.get(scope["path"], self._unknown)
            by_status = by_method.get(scope["method"], by_method[_OTHER])
            by_status[status].observe(time.perf_counter() - started)
