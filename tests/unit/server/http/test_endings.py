"""How connections end, and what a client may not do."""

from __future__ import annotations

import asyncio
import logging
import struct
from socket import SO_LINGER, SOL_SOCKET

import pytest

from tests.support.http_connections import (
    Serve,
    Served,
    chunked,
    post,
    until,
)

pytestmark = pytest.mark.anyio


# --- endings --------------------------------------------------------------------------------------------------


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


# --- limits ---------------------------------------------------------------------------------------------------


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
