"""Requests that come together are answered in order; HTTP's small print."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.http_connections import (
    Serve,
    Served,
    chunked,
    post,
    until,
)

pytestmark = pytest.mark.anyio


# --- order ----------------------------------------------------------------------------------------------------


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


# --- small print ----------------------------------------------------------------------------------------------


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
