"""Requests are counted by method, path and status, whatever clients make up."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from label_studio_ml.server.counting import Counting
from label_studio_ml.server.metrics import Metrics

pytestmark = pytest.mark.anyio


async def answered(*calls: tuple[str, str], status: int = 200) -> list[str]:
    """The lines about requests after some calls."""

    async def app(scope: Scope, receive: Receive, send: Send) -> int:
        if status == 500:
            raise ValueError("a fault")
        return status

    metrics = Metrics()
    counting = Counting(app, metrics, ["/predict", "/health"])
    for method, path in calls:
        with contextlib.suppress(ValueError):
            await counting({"type": "http", "method": method, "path": path}, unused, unused)
    lines = metrics.text().decode().splitlines()
    return [line for line in lines if line.startswith("label_studio_ml_http_requests_total{")]


async def unused(*_message: Any) -> Any:
    raise AssertionError("neither receives nor sends")


def line(method: str, path: str, status: int, count: int) -> str:
    return f'label_studio_ml_http_requests_total{{method="{method}",path="{path}",status="{status}"}} {count:.1f}'


async def test_requests_are_counted_by_method_path_and_status() -> None:
    found = await answered(("POST", "/predict"), ("POST", "/predict"), ("GET", "/health"), status=401)
    assert sorted(found) == [line("GET", "/health", 401, 1), line("POST", "/predict", 401, 2)]


async def test_methods_and_paths_that_clients_make_up_are_counted_together() -> None:
    found = await answered(("GET", "/a"), ("GET", "/b"), ("BREW", "/c"), ("BREW", "/health"), ("TEA", "/health"))
    assert sorted(found) == sorted(
        [line("GET", "other", 200, 2), line("other", "other", 200, 1), line("other", "/health", 200, 2)]
    )


async def test_what_ends_in_a_fault_counts_as_failed() -> None:
    assert await answered(("GET", "/health"), status=500) == [line("GET", "/health", 500, 1)]
