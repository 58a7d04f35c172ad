"""What an application gets of a request, and a client of its answer."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.support.http_connections import (
    Served,
    chunked,
    post,
    until,
)

pytestmark = pytest.mark.anyio


# --- requests -------------------------------------------------------------------------------------------------


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


# --- replies --------------------------------------------------------------------------------------------------


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
