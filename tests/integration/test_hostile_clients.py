"""Clients that send too slowly, too much or nonsense, over real sockets: they are let go, others are served."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from collections.abc import Iterator

import pytest

from scripts.processes import wait_until
from tests.support.paths import BACKENDS
from tests.support.servers import ServerProcess, servers

MOST = 20
BODY = b'{"tasks": [{"id": 1, "data": {"text": "a"}}]}'
HEAD = b"POST /predict HTTP/1.1\r\nHost: here\r\nContent-Type: application/json\r\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with servers(tmp_path_factory.mktemp("besieged")) as start:
        yield start(BACKENDS / "echo.py", "--request-timeout", "1s", "--max-connections", str(MOST))


@contextlib.contextmanager
def connected(server: ServerProcess) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as caller:
        yield caller


def everything(caller: socket.socket) -> bytes:
    """What comes until the server closes."""
    parts = []
    with contextlib.suppress(ConnectionResetError):
        while part := caller.recv(65536):
            parts.append(part)
    return b"".join(parts)


def is_served(server: ServerProcess) -> bool:
    with server.client() as client:
        reply = client.post("/predict", content=BODY)
        return reply.status_code == 200 and len(reply.json()["results"]) == 1


def error_in(raw: bytes) -> tuple[int, str]:
    """Status and message of a reply that refuses."""
    head, _, body = raw.partition(b"\r\n\r\n")
    assert b"content-type: application/json" in head.lower()
    message: str = json.loads(body)["error"]
    return int(head.split()[1]), message


def trickle(caller: socket.socket, piece: bytes) -> bytes:
    """Send a piece again and again, as long as the server has the patience, and return what it says then."""
    caller.settimeout(0.1)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            caller.sendall(piece)
            return caller.recv(65536)
        except TimeoutError:
            continue
        except OSError:
            return b""
    raise AssertionError("the server waits for ever")


def wait_past(moment: float) -> None:
    """Let time pass; what is tested here is what the server does about that."""
    wait_until(lambda: time.monotonic() > moment, 30, "a moment to come")


def test_who_connects_and_says_nothing_is_let_go(server: ServerProcess) -> None:
    with connected(server) as caller:
        assert error_in(everything(caller))[0] == 408


def test_who_trickles_headers_is_let_go(server: ServerProcess) -> None:
    with connected(server) as caller:
        caller.sendall(HEAD)
        status, message = error_in(trickle(caller, b"X-A: b\r\n"))
        assert status == 408
        assert "--request-timeout" in message


def test_who_trickles_a_body_is_let_go(server: ServerProcess) -> None:
    with connected(server) as caller:
        caller.sendall(HEAD + b"Content-Length: 1000000\r\n\r\n")
        assert error_in(trickle(caller, b" "))[0] == 408
    assert is_served(server)


def test_who_stops_within_a_second_request_is_let_go_too(server: ServerProcess) -> None:
    with connected(server) as caller:
        caller.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY)
        assert b"200 OK" in caller.recv(65536)
        caller.sendall(HEAD)
        assert error_in(everything(caller))[0] == 408


def test_a_large_body_may_take_longer_than_a_small_one(server: ServerProcess) -> None:
    body = b'{"tasks": [{"id": 1, "data": {"text": "%s"}}]}' % (b"a" * 400_000)
    with connected(server) as caller:
        caller.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(body))
        started = time.monotonic()
        for start in range(0, len(body), 20_000):
            caller.sendall(body[start : start + 20_000])
            wait_past(started + 2.0 * start / len(body))
        assert b"200 OK" in caller.recv(65536)


def test_a_connection_that_rests_between_requests_stays(server: ServerProcess) -> None:
    with connected(server) as caller:
        for _ in range(2):
            caller.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY)
            assert b"200 OK" in caller.recv(65536)
            wait_past(time.monotonic() + 2.5)  # longer than --request-timeout


@pytest.mark.parametrize(
    "headers",
    [b"X-Long: " + b"a" * 100_000, b"\r\n".join(b"X-%d: a" % number for number in range(101))],
    ids=["one long", "many"],
)
def test_a_head_that_is_too_large_is_refused(server: ServerProcess, headers: bytes) -> None:
    with connected(server) as caller:
        caller.sendall(b"GET /health HTTP/1.1\r\nHost: here\r\n" + headers + b"\r\n\r\n")
        assert error_in(everything(caller))[0] == 431


def test_a_head_without_end_is_cut_off(server: ServerProcess) -> None:
    with connected(server) as caller:
        caller.sendall(b"GET /health HTTP/1.1\r\nX-Endless: ")
        sent = 0
        with contextlib.suppress(OSError):
            while sent < 50_000_000:
                sent += caller.send(b"a" * 65536)
        assert sent < 50_000_000
    assert is_served(server)


@pytest.mark.parametrize(
    "nonsense",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # TLS
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"POST /predict HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET /health HTTP/1.1\r\nA b: c\r\n\r\n",
        b"GET /health\x00 HTTP/1.1\r\n\r\n",
        b"GET http://[::1 HTTP/1.1\r\n\r\n",
        b"CONNECT other:443 HTTP/1.1\r\n\r\n",
    ],
)
def test_what_is_not_http_is_refused_in_words(server: ServerProcess, nonsense: bytes) -> None:
    with connected(server) as caller:
        caller.sendall(nonsense)
        caller.shutdown(socket.SHUT_WR)
        raw = everything(caller)
    assert error_in(raw)[0] in {400, 405, 408}
    assert "Traceback" not in server.log


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": '"><script>alert(1)</script>'},
        {"Host": "[::1"},
        {"Host": ""},
        {"Accept": "text/html", "Host": "[bad"},
        {"Content-Type": "\xff" * 1000},
        {"Content-Length": "\u00b2"},
        {"Content-Encoding": "gzip, br, gzip"},
        {"Accept-Encoding": "*;q=nan"},
        {"Expect": "100-continue"},
        {
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Key": "a" * 24,
            "Sec-WebSocket-Version": "13",
        },
        {"Upgrade": "h2c", "Connection": "Upgrade, HTTP2-Settings", "HTTP2-Settings": "AAMAAABkAAQAAP__"},
        {"X-Forwarded-For": "a\tb", "X-Forwarded-Proto": "javascript"},
    ],
    ids=str,
)
@pytest.mark.parametrize("path", ["/", "/health", "/predict", "/no/such"])
def test_odd_headers_break_nothing(server: ServerProcess, path: str, headers: dict[str, str]) -> None:
    lines = b"".join(f"{name}: {value}\r\n".encode("latin-1") for name, value in headers.items())
    host = b"" if "Host" in headers else b"Host: here\r\n"
    with connected(server) as caller:
        caller.sendall(b"GET " + path.encode() + b" HTTP/1.1\r\nConnection: close\r\n" + host + lines + b"\r\n")
        status = int(everything(caller).split()[1])
    assert status < 500
    assert "Traceback" not in server.log


def test_connections_beyond_the_limit_are_refused_and_those_within_it_served(server: ServerProcess) -> None:
    with server.client() as client, contextlib.ExitStack() as stack:
        assert client.get("/health").status_code == 200  # this one is in
        replies: list[bytes] = []
        for _ in range(MOST + 5):
            caller = stack.enter_context(connected(server))
            caller.settimeout(0.02)
            with contextlib.suppress(TimeoutError):
                replies.append(caller.recv(65536))
        assert any(error_in(reply)[0] == 503 for reply in replies)
        assert client.post("/predict", content=BODY).status_code == 200
    wait_until(lambda: is_served(server), 30, "room for others again")


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="only Linux can say how long data may lie")
def test_who_does_not_take_a_reply_is_let_go(server: ServerProcess) -> None:
    tasks = {"tasks": [{"id": number, "data": {"text": "a" * 1000}} for number in range(20_000)]}
    with socket.socket() as caller:
        caller.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        caller.connect(("127.0.0.1", server.port))
        body = json.dumps(tasks).encode()
        caller.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        port = caller.getsockname()[1]
        assert established(server.port, port)
        assert b"200 OK" in caller.recv(100)  # the rest stays where it is
        wait_until(lambda: not established(server.port, port), 60, "the server to give up on the reply")
    assert is_served(server)


def established(server_port: int, client_port: int) -> bool:
    """Whether the server's end of a connection is still there."""
    with open("/proc/net/tcp") as table:  # noqa: PTH123
        rows = [line.split() for line in table.readlines()[1:]]
    ends = f"0100007F:{server_port:04X}", f"0100007F:{client_port:04X}"
    return any((row[1], row[2]) == ends for row in rows)
