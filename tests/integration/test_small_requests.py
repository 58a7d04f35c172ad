"""Small requests to predict take a short way through the server. What they get is what any other way gives."""

from __future__ import annotations

import base64
import contextlib
import gzip
import json
import re
import socket
from collections.abc import Iterator

import pytest

from scripts.processes import wait_until
from tests.support.paths import BACKENDS
from tests.support.servers import ServerProcess, servers

TASKS = b'{"tasks": [{"id": 1, "data": {"text": "a"}}, {"id": 2, "data": {"text": "b"}}], "project": "3.4"}'
LOGIN = b"Authorization: Basic " + base64.b64encode(b"me:secret") + b"\r\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with servers(tmp_path_factory.mktemp("small")) as start:
        yield start(BACKENDS / "echo.py", "--max-body-size", "1000", "--request-timeout", "20s")


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with servers(tmp_path_factory.mktemp("guarded")) as start:
        yield start(BACKENDS / "echo.py", "--basic-auth-user", "me", "--basic-auth-pass", "secret")


@contextlib.contextmanager
def connected(server: ServerProcess) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as caller:
        yield caller


def request(body: bytes, headers: bytes = b"", path: bytes = b"/predict") -> bytes:
    head = b"POST %b HTTP/1.1\r\nHost: here\r\nContent-Type: application/json\r\n%b" % (path, headers)
    return head + b"Content-Length: %d\r\n\r\n" % len(body) + body


def long_way(body: bytes, headers: bytes = b"") -> bytes:
    """The same in chunks, of which nobody knows beforehand how many come."""
    head = b"POST /predict HTTP/1.1\r\nHost: here\r\nContent-Type: application/json\r\n%b" % headers
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (body[:1], body[1:]) if part)
    return head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"


def reply(caller: socket.socket) -> bytes:
    """One reply, without its date."""
    raw = b""
    while b"\r\n\r\n" not in raw:
        part = caller.recv(65536)
        assert part, raw
        raw += part
    head, _, body = raw.partition(b"\r\n\r\n")
    found = re.search(rb"content-length: (\d+)", head)
    assert found, head
    while len(body) < int(found.group(1)):
        body += caller.recv(65536)
    assert len(body) == int(found.group(1)), "nothing after the reply"
    return re.sub(rb"date: [^\r]*\r\n", b"", head) + b"\r\n\r\n" + body


def both_ways(server: ServerProcess, body: bytes, headers: bytes = b"") -> bytes:
    with connected(server) as caller:
        caller.sendall(request(body, headers))
        short = reply(caller)
        caller.sendall(long_way(body, headers))
        assert reply(caller) == short
        caller.sendall(request(body, headers + b"X-Forwarded-Proto: http\r\n"))
        assert reply(caller) == short
    return short


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (TASKS, b"", 200),
        (b'{"tasks": []}', b"", 200),
        (b"{", b"", 400),
        (b"\xff\xfe", b"", 400),
        (b'{"tasks": 7}', b"", 400),
        (b'{"tasks": [], "project": "a\\u0000b"}', b"", 400),
        (b'{"tasks": [' + b" " * 1000 + b"]}", b"", 413),
        (TASKS, b"Origin: http://elsewhere\r\n", 403),
        (TASKS, b"Content-Encoding: rot13\r\n", 400),
        (gzip.compress(TASKS), b"Content-Encoding: gzip\r\n", 200),
    ],
    ids=[
        "tasks",
        "no tasks",
        "no JSON",
        "no text",
        "a number",
        "a NUL",
        "too large",
        "another site",
        "unknown encoding",
        "gzip",
    ],
)
def test_every_kind_of_reply_is_the_same_as_by_the_long_way(
    server: ServerProcess, body: bytes, headers: bytes, status: int
) -> None:
    assert both_ways(server, body, headers).startswith(b"HTTP/1.1 %d " % status)


def test_credentials_count(guarded: ServerProcess) -> None:
    assert both_ways(guarded, TASKS).startswith(b"HTTP/1.1 401 ")
    assert both_ways(guarded, TASKS, LOGIN).startswith(b"HTTP/1.1 200 ")
    assert both_ways(guarded, TASKS, LOGIN * 2).startswith(b"HTTP/1.1 401 "), "twice is not once"


def test_requests_are_counted(server: ServerProcess) -> None:
    def counted() -> float:
        with server.client() as client:
            lines = client.get("/metrics").text.splitlines()
        return sum(float(line.split()[-1]) for line in lines if "requests" in line and 'path="/predict"' in line)

    before = counted()
    both_ways(server, TASKS)
    assert counted() > before


def test_a_body_may_come_in_pieces_and_more_requests_on_the_same_connection(server: ServerProcess) -> None:
    with connected(server) as caller:
        raw = request(TASKS)
        caller.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in (raw[:20], raw[20:90], raw[90:-30], raw[-30:-1], raw[-1:]):
            caller.sendall(piece)
        first = reply(caller)
        for _ in range(3):
            caller.sendall(raw)
            assert reply(caller) == first


def test_requests_that_come_together_are_answered_in_their_order(server: ServerProcess) -> None:
    bodies = [b'{"tasks": [{"id": 1, "data": {"text": "%d"}}]}' % number for number in range(6)]
    mixed = [(long_way if number % 3 == 2 else request)(body) for number, body in enumerate(bodies)]
    with connected(server) as caller:
        caller.sendall(b"".join(mixed) + request(b"", path=b"/nowhere"))
        raw = b""
        while raw.count(b"HTTP/1.1 ") < 7 or b"nowhere" not in raw:
            raw += caller.recv(65536)
    replies = raw.split(b"HTTP/1.1 ")[1:]
    assert [one[:3] for one in replies] == [b"200"] * 6 + [b"404"]
    texts = [json.loads(one.partition(b"\r\n\r\n")[2]) for one in replies[:6]]
    with connected(server) as caller:
        for body, found in zip(bodies, texts, strict=True):
            caller.sendall(request(body))
            assert json.loads(reply(caller).partition(b"\r\n\r\n")[2]) == found


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_a_connection_that_the_client_wants_closed_is_closed(server: ServerProcess, version: str) -> None:
    raw = request(TASKS, b"Connection: close\r\n").replace(b"HTTP/1.1", f"HTTP/{version}".encode(), 1)
    with connected(server) as caller:
        caller.sendall(raw)
        assert b"connection: close" in reply(caller)
        assert caller.recv(10) == b""


def test_who_goes_before_the_reply_harms_nobody(server: ServerProcess) -> None:
    for end in (20, -5, None):
        with connected(server) as caller:
            caller.sendall(request(TASKS)[:end])
    both_ways(server, TASKS)

    def nothing_waits() -> bool:
        with server.client() as client:
            return bool(client.get("/health").json()["status"] == "UP")

    wait_until(nothing_waits, 10, "the server to be well")
    assert "Traceback" not in server.log
