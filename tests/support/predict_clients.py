"""Many clients that ask one server for predictions at once, and one that hangs up."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import httpx

from tests.support import local_http
from tests.support.obedient import Json, answered, body, expected
from tests.support.servers import ServerProcess


class Crowd:
    """Clients of one server, each on a connection of its own."""

    def __init__(self, server: ServerProcess, size: int) -> None:
        limits = httpx.Limits(max_connections=size, max_keepalive_connections=size)
        self._client = local_http.client(server.url, timeout=120, limits=limits)
        self._pool = ThreadPoolExecutor(size)

    def send(self, content: bytes) -> Future[httpx.Response]:
        """Have one of them send a predict request as soon as it is free."""
        headers = {"Content-Type": "application/json"}
        return self._pool.submit(lambda: self._client.post("/predict", content=content, headers=headers))

    def send_all(self, bodies: Iterable[bytes]) -> list[httpx.Response]:
        """Send all of them, as many at once as there are clients, and give the replies in order."""
        return [reply.result(timeout=120) for reply in [self.send(content) for content in bodies]]

    def ask(self, tasks: Sequence[Json], project: str = "7") -> list[str | None]:
        """Send a request and wait for the tokens of its reply."""
        return answered(self.send(body(tasks, project)).result(timeout=120))

    def is_served(self, tasks: Sequence[Json]) -> bool:
        """Whether every task of a request gets its prediction."""
        return self.ask(tasks) == expected(tasks)

    def close(self) -> None:
        """Wait for every reply."""
        self._pool.shutdown()
        self._client.close()

    def give_up(self) -> None:
        """Wait for nothing: a test has failed, and whoever should have answered is about to be killed."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._client.close()


@contextlib.contextmanager
def crowd(server: ServerProcess, size: int = 16) -> Iterator[Crowd]:
    """Clients for the length of a test."""
    clients = Crowd(server, size)
    try:
        yield clients
    except BaseException:
        clients.give_up()
        raise
    clients.close()


@contextlib.contextmanager
def leaving(server: ServerProcess, content: bytes) -> Iterator[Callable[[], None]]:
    """Send a predict request on a connection of its own, and give a way to hang up before the reply."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as caller:
        head = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        caller.sendall(head % len(content) + content)
        yield caller.close
