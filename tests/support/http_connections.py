"""An application that does what a path says, and clients that say exactly what they are told, over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from starlette.types import Receive, Scope, Send

from label_studio_ml.server.http.exchange import WHOLE

PATIENCE = 10.0


@dataclass
class Config:
    app: Any
    loaded_app: Any
    access_log: bool = False
    timeout_keep_alive: int = 75


@dataclass
class State:
    connections: set[Any] = field(default_factory=set)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    total_requests: int = 0
    default_headers: list[tuple[bytes, bytes]] = field(default_factory=lambda: [(b"date", b"today")])


class Application:
    """Does what the path says, and notes what came to it."""

    def __init__(self) -> None:
        self.scopes: list[Scope] = []
        self.bodies: list[bytes] = []
        self.disconnected = asyncio.Event()
        self.begun = asyncio.Event()
        self.go = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scopes.append(scope)
        doing = getattr(self, scope["path"].strip("/").partition("/")[0] or "echo")
        await doing(scope, receive, send)

    async def body(self, receive: Receive) -> bytes:
        parts, more = [], True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.disconnected.set()
                raise ConnectionError
            parts.append(message["body"])
            more = message["more_body"]
        self.bodies.append(b"".join(parts))
        return self.bodies[-1]

    async def echo(self, scope: Scope, receive: Receive, send: Send) -> None:
        with contextlib.suppress(ConnectionError):
            await answer(send, scope["raw_path"] + b":" + await self.body(receive))

    async def whole(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = scope[WHOLE]
        await exchange.reply(b"x-way: short\r\n", exchange.take())

    async def wait(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await self.body(receive)
        self.begun.set()
        gone = asyncio.ensure_future(receive())
        go = asyncio.ensure_future(self.go.wait())
        await asyncio.wait([gone, go], return_when=asyncio.FIRST_COMPLETED)
        if gone.done():
            self.disconnected.set()
        gone.cancel()
        go.cancel()
        await answer(send, body)

    async def chunks(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for part in (b"one", b"", b"two"):
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body"})

    async def deaf(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers without reading the body."""
        await answer(send, b"no", 413)

    async def slow(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Reads the body only when told so."""
        self.begun.set()
        await self.go.wait()
        await answer(send, b"%d" % len(await self.body(receive)))

    async def large(self, scope: Scope, receive: Receive, send: Send) -> None:
        await answer(send, bytes(int(scope["query_string"])))

    async def empty(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": int(scope["query_string"]), "headers": []})
        await send({"type": "http.response.body"})

    async def fail(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["query_string"] == b"late":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"half", "more_body": True})
        raise ValueError("on purpose")

    async def split(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"x", b"a\r\nset-cookie: b")]})

    async def wrong_length(self, scope: Scope, receive: Receive, send: Send) -> None:
        head = [(b"content-length", b"5")]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        await send({"type": "http.response.body", "body": b"longer than that"})


async def answer(send: Send, body: bytes, status: int = 200) -> None:
    headers = [(b"Content-Length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class Client:
    """A client that says exactly what it is told to."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def reply(self, *, interim: bool = False) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of the next reply."""
        async with deadline():
            lines = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            status = int(lines[0].split()[1])
            headers = dict(line.lower().split(": ", 1) for line in lines[1:] if line)
            if status == 100:
                return (100, headers, b"") if interim else await self.reply()
            if "content-length" in headers:
                return status, headers, await self.reader.readexactly(int(headers["content-length"]))
            return status, headers, b""

    async def rest(self) -> bytes:
        """What comes until the server closes."""
        async with deadline():
            try:
                return await self.reader.read()
            except ConnectionError:
                return b""


@contextlib.asynccontextmanager
async def deadline() -> AsyncIterator[None]:
    """Fail rather than wait for ever."""
    task = asyncio.current_task()
    assert task is not None
    handle = asyncio.get_running_loop().call_later(PATIENCE, task.cancel)
    try:
        yield
    finally:
        handle.cancel()


async def until(condition: Callable[[], bool]) -> None:
    async with deadline():
        while not condition():  # noqa: ASYNC110 - conditions of every kind
            await asyncio.sleep(0.01)


@dataclass
class Served:
    """A server with an application, and clients of it."""

    app: Application
    state: State
    connect: Callable[[], Awaitable[Client]]


Serve = Callable[..., Awaitable[Served]]


async def ended(server: asyncio.Server, state: State) -> None:
    server.close()
    for connection in state.connections:
        connection._transport.abort()
    for task in state.tasks:
        task.cancel()
    await until(lambda: not state.connections and not state.tasks)


def post(path: str, body: bytes = b"", headers: bytes = b"") -> bytes:
    return b"POST %b HTTP/1.1\r\nHost: x\r\n%bContent-Length: %d\r\n\r\n%b" % (
        path.encode(),
        headers,
        len(body),
        body,
    )


def chunked(path: str, *parts: bytes) -> bytes:
    body = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
    return b"POST %b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n%b" % (path.encode(), body)
