"""A connection, over real sockets, on both event loops: order, small print, limits, endings."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from socket import SO_LINGER, SOL_SOCKET
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from label_studio_ml.server.http.connection import Connection, Limits
from label_studio_ml.server.http.exchange import WHOLE

pytestmark = pytest.mark.anyio
PATIENCE = 10.0


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    if request.param:
        pytest.importorskip("uvloop")
    return "asyncio", {"use_uvloop": request.param}


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


async def ended(server: asyncio.Server, state: State) -> None:
    server.close()
    for connection in state.connections:
        connection._transport.abort()
    for task in state.tasks:
        task.cancel()
    await until(lambda: not state.connections and not state.tasks)


@pytest.fixture
async def served(serve: Serve) -> Served:
    return await serve()


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


# --- requests --------------------------------------------------------------------------------------------------


async def test_a_scope_has_what_asgi_says(served: Served) -> None:
    client = await served.connect()
    client.send(b"GET /echo/a%20b?c=%20 HTTP/1.1\r\nHost: x\r\nX-Odd: \xe4\r\n\r\n")
    await client.reply()

    scope = served.app.scopes[0]
    assert (scope["type"], scope["method"], scope["http_version"]) == ("http", "GET", "1.1")
    assert (scope["path"], scope["raw_path"], scope["query_string"]) == ("/echo/a b", b"/echo/a%20b", b"c=%20")
    assert scope["headers"] == [(b"host", b"x"), (b"x-odd", b"\xe4")]
    assert scope["client"] == client.writer.get_extra_info("sockname")[:2]
    assert scope["server"] == client.writer.get_extra_info("peername")[:2]
    assert (scope["scheme"], scope["root_path"], scope["state"]) == ("http", "", {"of": "lifespan"})


@pytest.mark.parametrize("size", [0, 1, 10_000, 32 * 2**10, 32 * 2**10 + 1, 3_000_000])
async def test_bodies_of_every_size_arrive_on_one_connection(served: Served, size: int) -> None:
    client, body = await served.connect(), bytes(range(256)) * (size // 256) + b"a" * (size % 256)
    for again in range(3):
        client.send(post("/echo", body))
        assert await client.reply() == (200, {"date": "today", "content-length": str(6 + size)}, b"/echo:" + body)
        assert len(served.app.bodies) == again + 1


async def test_chunked_bodies_arrive_and_their_trailers_are_no_headers(served: Served) -> None:
    client = await served.connect()
    client.send(chunked("/echo", b"a", b"bc" * 50_000))
    assert (await client.reply())[2] == b"/echo:a" + b"bc" * 50_000
    client.send(chunked("/echo", b"d")[:-2] + b"X-Late: yes\r\n\r\n")
    assert (await client.reply())[2] == b"/echo:d"
    assert b"x-late" not in dict(served.app.scopes[1]["headers"])


@pytest.mark.parametrize("size", [1, 7, 60, 1000])
async def test_requests_may_come_in_pieces(served: Served, size: int) -> None:
    client = await served.connect()
    raw = post("/echo", b"body") + post("/echo", b"body") + chunked("/echo", b"x", b"yz")
    for start in range(0, len(raw), size):
        client.send(raw[start : start + size])
        await asyncio.sleep(0)
    assert [(await client.reply())[2] for _ in range(3)] == [b"/echo:body", b"/echo:body", b"/echo:xyz"]


async def test_a_head_that_came_before_is_understood_with_its_body_in_any_pieces(served: Served) -> None:
    client = await served.connect()
    raw = post("/whole", b"body")
    for cut in [len(raw), len(raw) - 4, len(raw) - 4, len(raw) - 2, 30, len(raw)]:
        client.send(raw[:cut])
        await client.writer.drain()
        await until(lambda: bool(served.state.connections))
        await asyncio.sleep(0.01)
        client.send(raw[cut:])
        assert (await client.reply())[1:] == ({"date": "today", "x-way": "short", "content-length": "4"}, b"body")
    client.send(raw + raw[:-4])
    await client.reply()
    client.send(raw[-4:] + raw)
    assert [(await client.reply())[2] for _ in range(2)] == [b"body", b"body"]


async def test_a_known_head_is_not_taken_for_another(served: Served) -> None:
    client = await served.connect()
    for body in (b"a", b"b", b"\r\n\r\n", b"a\r\n\r\nb", b"", b"c"):
        for path in ("/echo/1", "/echo/2"):
            client.send(post(path, body))
            assert (await client.reply())[2] == path.encode() + b":" + body


async def test_only_a_request_that_a_proxy_passed_on_goes_through_what_knows_proxies(served: Served) -> None:
    client = await served.connect()
    for headers in (b"", b"X-Forwarded-Proto: https\r\n"):
        client.send(post("/echo", b"", headers))
        await client.reply()
    assert ["by_proxy" in scope for scope in served.app.scopes] == [False, True]


# --- replies ---------------------------------------------------------------------------------------------------


async def test_a_reply_without_a_length_comes_in_chunks(served: Served) -> None:
    client = await served.connect()
    client.send(b"GET /chunks HTTP/1.1\r\nConnection: close\r\n\r\n")
    head, _, body = (await client.rest()).partition(b"\r\n\r\n")
    assert b"\r\ntransfer-encoding: chunked\r\nconnection: close" in head
    assert body == b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n"


async def test_a_client_of_http_1_0_gets_no_chunks_and_the_end_of_the_connection(served: Served) -> None:
    client = await served.connect()
    client.send(b"GET /chunks HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    head, _, body = (await client.rest()).partition(b"\r\n\r\n")
    assert b"transfer-encoding" not in head
    assert b"connection: close" in head
    assert body == b"onetwo"


async def test_replies_that_have_no_body_have_none(served: Served) -> None:
    client = await served.connect()
    client.send(b"HEAD /echo HTTP/1.1\r\n\r\n")
    assert b"content-length: 6" in await client.reader.readuntil(b"\r\n\r\n")
    for status in (204, 304):
        client.send(b"GET /empty?%d HTTP/1.1\r\n\r\n" % status)
        assert await client.reply() == (status, {"date": "today"}, b"")
    client.send(post("/echo", b"next"))
    assert (await client.reply())[2] == b"/echo:next"


@pytest.mark.parametrize("path", ["/echo", "/whole"])
async def test_who_wants_the_connection_closed_gets_it_closed(served: Served, path: str) -> None:
    client = await served.connect()
    client.send(post(path, b"a", b"Connection: close\r\n") + post(path, b"b"))
    assert (await client.reply())[1]["connection"] == "close"
    assert await client.rest() == b""
    assert len(served.app.scopes) == 1


async def test_an_application_that_fails_is_answered_for(served: Served, caplog: pytest.LogCaptureFixture) -> None:
    for path in ("/fail", "/split", "/wrong_length"):
        client = await served.connect()
        client.send(post(path))
        status, _, body = await client.reply()
        assert (status, json.loads(body)) == (500, {"error": "Internal error."})
        assert await client.rest() == b""
    client = await served.connect()
    client.send(post("/fail?late"))
    assert b"0\r\n\r\n" not in (await client.rest()).partition(b"\r\n\r\n")[2], "no end that is none"
    assert caplog.text.count("Traceback") == 4


async def test_a_large_reply_leaves_time_for_others(served: Served) -> None:
    longest, running = 0.0, True

    async def watch() -> None:
        nonlocal longest
        loop = asyncio.get_running_loop()
        while running:
            before = loop.time()
            await asyncio.sleep(0)
            longest = max(longest, loop.time() - before)

    size = 100_000_000
    client = await served.connect()
    client.send(b"GET /large?%d HTTP/1.1\r\n\r\n" % size)
    await client.reader.readuntil(b"\r\n\r\n")
    watching = asyncio.ensure_future(watch())
    left, buffered = size, 0
    while left:
        left -= len(await client.reader.read(2**20))
        (connection,) = served.state.connections
        buffered = max(buffered, connection._transport.get_write_buffer_size())
    running = False
    await watching
    assert buffered < 2_000_000
    assert longest < 0.5


# --- order -----------------------------------------------------------------------------------------------------


async def test_requests_that_come_together_are_answered_in_their_order(served: Served) -> None:
    client = await served.connect()
    client.send(post("/wait", b"first") + post("/whole", b"second") + chunked("/echo", b"third") + post("/whole"))
    await until(served.app.begun.is_set)
    assert len(served.app.scopes) == 1
    served.app.go.set()
    assert [(await client.reply())[2] for _ in range(4)] == [b"first", b"second", b"/echo:third", b""]


async def test_thousands_of_requests_may_come_together_and_few_wait_at_once(served: Served) -> None:
    client, count = await served.connect(), 5000
    client.send(post("/wait", b"first") + b"GET /echo HTTP/1.1\r\n\r\n" * count)
    await until(served.app.begun.is_set)
    (connection,) = served.state.connections
    await asyncio.sleep(0.1)
    assert len(connection._exchanges) < 1000
    served.app.go.set()
    for _ in range(count + 1):
        assert (await client.reply())[0] == 200
    assert served.state.total_requests == count + 1


@pytest.mark.parametrize("path", ["/wait", "/whole"])
async def test_a_large_request_may_come_behind_another(served: Served, path: str) -> None:
    client, body = await served.connect(), b"b" * 70_000
    served.app.go.set()
    for first in (b"a", b"a" * 70_000):
        if path == "/wait" or len(first) == 1:
            client.send(post(path, first) + post("/echo", body))
            assert (await client.reply())[2] == first
            assert await client.reply() == (200, {"date": "today", "content-length": "70006"}, b"/echo:" + body)


async def test_time_that_a_request_waits_for_another_does_not_count(serve: Serve) -> None:
    served = await serve(timeout=0.3)
    client = await served.connect()
    client.send(post("/wait", b"first") + post("/echo", b"b" * 5_000_000))
    await until(served.app.begun.is_set)
    await asyncio.sleep(0.8)
    served.app.go.set()
    assert (await client.reply())[0] == 200
    assert (await client.reply())[0] == 200


async def test_what_is_no_request_is_refused_after_those_before_it_were_answered(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    client = await served.connect()
    client.send(post("/wait", b"first") + post("/echo", b"second") + b"garbage\r\n\r\n" * 1000)
    await until(served.app.begun.is_set)
    served.app.go.set()
    assert [(await client.reply())[2] for _ in range(2)] == [b"first", b"/echo:second"]
    assert (await client.reply())[0] == 400
    assert await client.rest() == b""
    assert caplog.text == "", "who sends garbage does not fill the log"


# --- small print -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [b"", b"body", b"b" * 100_000])
async def test_a_request_for_another_protocol_is_answered_as_usual(served: Served, body: bytes) -> None:
    client = await served.connect()
    headers = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMA\r\n"
    raw = post("/echo", body, headers)
    for _ in range(2):
        client.send(raw)
        assert (await client.reply())[2] == b"/echo:" + body
    client.send(raw + raw + post("/echo", b"next"))
    assert [(await client.reply())[2] for _ in range(3)] == [b"/echo:" + body] * 2 + [b"/echo:next"]
    upgrade = b"POST /echo HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: h2c\r\nTransfer-Encoding: chunked\r\n\r\n"
    client.send(upgrade)
    await asyncio.sleep(0.05)
    client.send(b"3\r\nabc\r\n0\r\n\r\n")
    assert (await client.reply())[2] == b"/echo:abc"


async def test_who_waits_for_it_is_told_to_send_the_body(served: Served) -> None:
    client = await served.connect()
    raw = post("/echo", b"body", b"Expect: 100-continue\r\n")
    client.send(raw[:-4])
    assert (await client.reply(interim=True))[0] == 100
    client.send(raw[-4:])
    assert (await client.reply())[2] == b"/echo:body"
    client.send(raw)
    assert (await client.reply(interim=True))[0] == 200, "nobody waits who has sent it"


async def test_a_client_of_http_1_0_is_not_told_to_continue(served: Served) -> None:
    client = await served.connect()
    raw = post("/echo", b"body", b"Expect: 100-continue\r\n").replace(b"1.1", b"1.0")
    client.send(raw[:-4])
    await asyncio.sleep(0.05)
    client.send(raw[-4:])
    assert (await client.reply(interim=True))[0] == 200


async def test_after_an_answer_without_continue_the_connection_ends(served: Served) -> None:
    client = await served.connect()
    client.send(post("/deaf", b"body", b"Expect: 100-continue\r\n")[:-4])
    status, headers, _ = await client.reply(interim=True)
    assert (status, headers["connection"]) == (413, "close")
    assert await client.rest() == b""


async def test_a_body_that_nobody_reads_is_dropped_and_the_connection_stays(served: Served) -> None:
    client = await served.connect()
    client.send(post("/deaf", b"b" * 1_000_000) + post("/echo", b"next"))
    assert (await client.reply())[0] == 413
    assert (await client.reply())[2] == b"/echo:next"


async def test_no_more_is_received_than_the_application_takes(served: Served) -> None:
    client, size = await served.connect(), 20_000_000
    client.send(post("/slow", bytes(size)))
    await until(served.app.begun.is_set)
    await asyncio.sleep(0.2)
    (connection,) = served.state.connections
    assert connection._receiving.size < 1_000_000
    served.app.go.set()
    assert (await client.reply())[2] == b"%d" % size


# --- endings ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wait", [0.05, 1.0])
async def test_who_sends_no_more_still_gets_its_answers(served: Served, wait: float) -> None:
    client = await served.connect()
    client.send(post("/wait", b"first") + post("/echo", b"second"))
    client.writer.write_eof()
    await until(served.app.begun.is_set)
    await asyncio.sleep(wait)
    assert not served.app.disconnected.is_set()
    served.app.go.set()
    assert [(await client.reply())[2] for _ in range(2)] == [b"first", b"/echo:second"]
    assert await client.rest() == b""


@pytest.mark.parametrize("how", ["closed", "reset"])
async def test_an_application_hears_that_its_client_has_gone(served: Served, how: str) -> None:
    client = await served.connect()
    client.send(post("/wait", b"first"))
    await until(served.app.begun.is_set)
    if how == "reset":
        client.writer.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
    client.writer.close()
    await until(served.app.disconnected.is_set)
    await until(lambda: not served.state.connections and not served.state.tasks)


@pytest.mark.parametrize("raw", [b"POST /ec", post("/echo", b"body")[:-1], chunked("/echo", b"a")[:-4]])
async def test_a_request_that_is_cut_short_is_refused(served: Served, raw: bytes) -> None:
    client = await served.connect()
    client.send(raw)
    client.writer.write_eof()
    assert (await client.reply())[0] == 400
    assert await client.rest() == b""
    await until(lambda: not served.state.connections and not served.state.tasks)


async def test_a_server_that_stops_answers_what_has_begun_and_closes_the_rest(served: Served) -> None:
    idle, busy, sending = [await served.connect() for _ in range(3)]
    idle.send(post("/echo"))
    await idle.reply()
    busy.send(post("/wait", b"first") + post("/echo", b"second"))
    sending.send(post("/slow", b"b" * 40_000)[:-1])
    await until(lambda: len(served.app.scopes) == 3)
    for connection in list(served.state.connections):
        connection.shutdown()
    assert await idle.rest() == b""
    served.app.go.set()
    sending.send(b"b")
    assert [(await busy.reply())[2] for _ in range(2)] == [b"first", b"/echo:second"]
    status, headers, body = await sending.reply()
    assert (status, headers["connection"], body) == (200, "close", b"40000")
    assert await busy.rest() == await sending.rest() == b""
    await until(lambda: not served.state.connections and not served.state.tasks)


async def test_a_request_that_the_server_gives_up_is_told_so(served: Served) -> None:
    client = await served.connect()
    client.send(post("/wait"))
    await until(served.app.begun.is_set)
    for task in list(served.state.tasks):
        task.cancel()
    assert (await client.reply())[0] == 503
    assert await client.rest() == b""


# --- limits ----------------------------------------------------------------------------------------------------


async def test_who_is_one_too_many_is_refused(serve: Serve) -> None:
    served = await serve(connections=1)
    first, second = await served.connect(), await served.connect()
    assert (await second.reply())[0] == 503
    first.send(post("/echo"))
    assert (await first.reply())[0] == 200


@pytest.mark.parametrize("raw", [b"", b"POST /ec", post("/echo", b"body")[:-1], post("/slow", b"b" * 50_000)[:-1]])
async def test_who_takes_too_long_is_refused(serve: Serve, raw: bytes) -> None:
    served = await serve(timeout=0.2)
    client = await served.connect()
    client.send(raw)
    assert (await client.reply())[0] == 408
    assert await client.rest() == b""


async def test_a_known_head_whose_body_never_comes_is_refused(serve: Serve) -> None:
    served = await serve(timeout=0.2)
    client = await served.connect()
    client.send(post("/echo", b"body"))
    await client.reply()
    client.send(post("/echo", b"body")[:-4])
    assert (await client.reply())[0] == 408


async def test_idle_connections_are_closed_after_a_while(serve: Serve) -> None:
    served = await serve(timeout=0.1, timeout_keep_alive=0)
    client = await served.connect()
    client.send(post("/echo"))
    assert (await client.reply())[0] == 200
    assert await client.rest() == b""


@pytest.mark.parametrize(
    "raw",
    [
        b"GET / HTTP/1.1\r\nX-A: " + b"a" * 70_000 + b"\r\n\r\n",
        b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"X-A: b\r\n" * 101 + b"\r\n",
        b"GET / HTTP/1.1\r\nX-A: " + b"a" * 100_000,
    ],
    ids=["header", "address", "many", "endless"],
)
async def test_a_head_that_is_too_large_is_refused(served: Served, raw: bytes) -> None:
    client = await served.connect()
    client.send(raw)
    assert (await client.reply())[0] == 431
    assert served.app.scopes == []


async def test_a_head_within_the_limits_is_not_refused(served: Served) -> None:
    client = await served.connect()
    client.send(post("/echo", b"a" * 100_000, b"X-A: " + b"a" * 65_000 + b"\r\n" + b"X-B: b\r\n" * 97))
    assert (await client.reply())[0] == 200


@pytest.mark.parametrize(
    "raw",
    [b"garbage\r\n\r\n", b"GET / HTTP/2.0\r\n\r\n", b"CONNECT x:443 HTTP/1.1\r\n\r\n", b"GET a:b HTTP/1.1\r\n\r\n"],
)
async def test_what_is_no_request_is_refused(served: Served, raw: bytes) -> None:
    client = await served.connect()
    client.send(raw)
    assert (await client.reply())[0] == 400
    assert await client.rest() == b""


async def test_requests_are_logged_if_that_is_wanted(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    served = await serve(access_log=True)
    client = await served.connect()
    with caplog.at_level(logging.INFO):
        client.send(post("/echo?secret=a"))
        await client.reply()
    assert '"POST /echo" 200' in caplog.text
