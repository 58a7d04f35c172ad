"""Servers with nothing but the HTTP layer, on both event loops."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from label_studio_ml.server.http.connection import Connection, Limits
from tests.support.http_connections import (
    Application,
    Client,
    Config,
    Serve,
    Served,
    State,
    ended,
)


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    if request.param:
        pytest.importorskip("uvloop")
    return "asyncio", {"use_uvloop": request.param}


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Starts a server with limits."""
    async with contextlib.AsyncExitStack() as stack:

        async def start(timeout: float = 30, connections: int = 100, **config: Any) -> Served:
            app, state = Application(), State()
            limits = Limits(timeout, connections)

            async def by_proxy(scope: Scope, receive: Receive, send: Send) -> None:
                await app({**scope, "by_proxy": True}, receive, send)

            server = await asyncio.get_running_loop().create_server(
                lambda: Connection(Config(app, by_proxy, **config), state, {"of": "lifespan"}, limits=limits),
                "127.0.0.1",
                0,
            )
            port = server.sockets[0].getsockname()[1]

            async def connect() -> Client:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                stack.callback(writer.close)
                return Client(reader, writer)

            stack.push_async_callback(ended, server, state)
            return Served(app, state, connect)

        yield start


@pytest.fixture
async def served(serve: Serve) -> Served:
    return await serve()
