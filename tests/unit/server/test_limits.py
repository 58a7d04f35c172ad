"""Bodies of requests: compressed, cut off, too large."""

from __future__ import annotations

import gzip
import time
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Callable

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Message

from label_studio_ml.errors import BackendError, RequestError
from label_studio_ml.server import errors, limits

pytestmark = pytest.mark.anyio
LIMIT = 100_000
TEXT = b'{"text": "\xc3\xa4"}' * 100


async def echo(request: Request) -> Response:
    return Response(await limits.read_body(request.scope, request.receive, LIMIT))


app = Starlette(routes=[Route("/", echo, methods=["POST"])], exception_handlers={BackendError: errors.on_error})


async def post(content: bytes | AsyncIterator[bytes], encoding: str = "", **headers: str) -> httpx.Response:
    given = {**({"content-encoding": encoding} if encoding else {}), **headers}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://server") as client:
        return await client.post("/", content=content, headers=given)


async def in_chunks(content: bytes, size: int, sent: list[int] | None = None) -> AsyncIterator[bytes]:
    for start in range(0, len(content), size):
        if sent is not None:
            sent.append(start)
        yield content[start : start + size]


def raw_deflate(content: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-15)
    return compressor.compress(content) + compressor.flush()


def refused_as_too_large(reply: httpx.Response) -> bool:
    expected = {"error": f"The body is larger than the {LIMIT} bytes this server accepts (--max-body-size)."}
    return reply.status_code == 413 and reply.json() == expected


@pytest.mark.parametrize("content", [b"", TEXT, b"x" * LIMIT])
async def test_a_plain_body_within_the_limit_is_read(content: bytes) -> None:
    assert (await post(content)).content == content
    assert (await post(content, "identity")).content == content
    assert (await post(in_chunks(content, 999))).content == content


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", " GZIP ", "deflate"])
@pytest.mark.parametrize("compress", [gzip.compress, zlib.compress], ids=["gzip", "zlib"])
@pytest.mark.parametrize("content", [b"", TEXT, b"x" * LIMIT])
async def test_a_compressed_body_is_inflated(
    encoding: str, compress: Callable[[bytes], bytes], content: bytes
) -> None:
    assert (await post(compress(content), encoding)).content == content
    assert (await post(in_chunks(compress(content), 7), encoding)).content == content


@pytest.mark.parametrize("between", [b"", b"\0" * 512])
async def test_all_members_of_a_compressed_body_count(between: bytes) -> None:
    members = [gzip.compress(part) for part in (TEXT, b"", b"x" * 10_000, b"end")]
    whole = TEXT + b"x" * 10_000 + b"end"
    assert (await post(between.join([*members, b""]), "gzip")).content == whole
    assert (await post(b"".join(members * 4)[:-1], "gzip")).json() == {"error": "The compressed body is cut short."}
    assert (await post(b"".join(members) + b"garbage", "gzip")).status_code == 400


async def test_members_together_must_not_exceed_the_limit() -> None:
    assert refused_as_too_large(await post(gzip.compress(b"x" * (LIMIT // 2)) * 3, "gzip"))


async def test_very_many_members_take_no_more_time_than_their_number() -> None:
    began = time.process_time()
    assert (await post(gzip.compress(b"") * (LIMIT // 20), "gzip")).content == b""
    assert time.process_time() - began < 2


async def test_a_body_that_announces_too_much_is_refused_before_it_is_read() -> None:
    sent: list[int] = []
    reply = await post(in_chunks(b"x" * (LIMIT + 1), 1000, sent), **{"content-length": str(LIMIT + 1)})
    assert refused_as_too_large(reply)
    assert sent == []


async def test_a_body_that_announces_nothing_is_refused_once_it_is_too_large() -> None:
    received = 0

    async def receive() -> Message:
        nonlocal received
        received += 1
        return {"type": "http.request", "body": b"x" * 1000, "more_body": received < 10_000}

    request = Request({"type": "http", "method": "POST", "path": "/", "headers": []}, receive)
    with pytest.raises(RequestError, match="larger than"):
        await limits.read_body(request.scope, request.receive, LIMIT)
    assert received == 101


async def test_a_length_of_very_many_digits_is_too_large_and_no_fault() -> None:
    assert refused_as_too_large(await post(b"x", **{"content-length": "9" * 5000}))


async def test_a_length_that_is_no_number_does_not_matter() -> None:
    for odd in ("-5", "many", "\u00b2", "1_0"):
        headers = [(b"content-length", odd.encode("latin-1"))]
        scope = {"type": "http", "method": "POST", "path": "/", "headers": headers}

        async def receive() -> Message:
            return {"type": "http.request", "body": b"x", "more_body": False}

        assert await limits.read_body(scope, receive, LIMIT) == b"x"


@pytest.mark.parametrize("over", [1, 1000, 3_000_000])
async def test_a_body_that_inflates_to_more_than_the_limit_is_refused(over: int) -> None:
    assert refused_as_too_large(await post(gzip.compress(b"x" * (LIMIT + over)), "gzip"))


async def test_a_bomb_is_not_inflated_to_its_end() -> None:
    bomb = gzip.compress(b"\0" * 60_000_000)
    assert len(bomb) < LIMIT
    tracemalloc.start()
    reply = await post(bomb, "gzip")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert refused_as_too_large(reply)
    assert peak < 8_000_000


@pytest.mark.parametrize("compress", [gzip.compress, zlib.compress], ids=["gzip", "zlib"])
@pytest.mark.parametrize("missing", [1, 5, 10])
async def test_a_compressed_body_that_ends_early_is_refused(
    compress: Callable[[bytes], bytes], missing: int
) -> None:
    reply = await post(compress(TEXT)[:-missing], "gzip")
    assert (reply.status_code, reply.json()) == (400, {"error": "The compressed body is cut short."})


async def test_an_empty_body_that_claims_to_be_compressed_is_refused() -> None:
    reply = await post(b"", "gzip")
    assert (reply.status_code, reply.json()) == (400, {"error": "The compressed body is cut short."})


@pytest.mark.parametrize(
    "damaged",
    [TEXT, gzip.compress(TEXT)[5:], gzip.compress(TEXT)[:-8] + b"12345678", raw_deflate(TEXT)],
    ids=["plain", "no header", "wrong checksum", "raw deflate"],
)
async def test_a_damaged_compressed_body_is_refused(damaged: bytes) -> None:
    reply = await post(damaged, "gzip")
    assert reply.status_code == 400
    assert reply.json()["error"].startswith("The compressed body is damaged: ")


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "x"])
async def test_an_unknown_compression_is_refused_by_name(encoding: str) -> None:
    reply = await post(TEXT, encoding)
    expected = f"Content-Encoding {encoding!r} is not understood; send gzip, deflate or nothing."
    assert (reply.status_code, reply.json()) == (400, {"error": expected})


async def test_a_connection_that_ends_within_the_body_is_noticed() -> None:
    messages: list[Message] = [
        {"type": "http.request", "body": b"half", "more_body": True},
        {"type": "http.disconnect"},
    ]

    async def receive() -> Message:
        return messages.pop(0)

    request = Request({"type": "http", "method": "POST", "path": "/", "headers": []}, receive)
    with pytest.raises(RequestError, match="The connection ended before the body did"):
        await limits.read_body(request.scope, request.receive, LIMIT)
