"""Requests to tests/backends/obedient.py, sent by many clients at once, and what came back."""

from __future__ import annotations

import contextlib
import itertools
import json
import socket
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx

from label_studio_ml.processes import channel
from scripts.processes import wait_until
from tests.support.places import BACKENDS
from tests.support.servers import ServerProcess

Json = dict[str, Any]

OBEDIENT = BACKENDS / "obedient.py"
_ids = itertools.count(1)


def source(form: str = "Obedient") -> str:
    """The obedient backend in one of its forms: Obedient, Streaming, Concurrent, ConcurrentStreaming."""
    return f"{OBEDIENT}:{form}"


def task(do: str = "", **data: Any) -> Json:
    """A task with an id and a token of its own, and what the model is to do at it."""
    number = next(_ids)
    return {"id": number, "data": {"token": f"token of {number}", "do": do, **data}}


def tasks(count: int) -> list[Json]:
    """Healthy tasks."""
    return [task() for _ in range(count)]


def token(task: Json) -> str:
    """What the prediction for a task must show."""
    found: str = task["data"]["token"]
    return found


def body(tasks: Sequence[Json], project: str = "7", context: Json | None = None) -> bytes:
    """A predict request as bytes; with a context it is an interactive one."""
    params = {"params": {"context": context}} if context else {}
    return json.dumps({"tasks": tasks, "project": project, **params}).encode()


CLICK: Json = {"result": [{"value": {"x": 1}}]}


def answered(reply: httpx.Response) -> list[str | None]:
    """The tokens in a reply, None where a task got no prediction."""
    assert reply.status_code == 200, reply.text
    return [item["token"] if item else None for item in reply.json()["results"]]


def of(reply: httpx.Response, name: str) -> list[Any]:
    """A field of every prediction in a reply."""
    assert reply.status_code == 200, reply.text
    return [item[name] for item in reply.json()["results"] if item]


def expected(tasks: Sequence[Json], guilty: Iterable[Json] = ()) -> list[str | None]:
    """What a reply must say: every task its own token, but for the guilty."""
    names = {token(one) for one in guilty}
    return [None if token(one) in names else token(one) for one in tasks]


def all_answered(replies: Iterable[Future[httpx.Response]], requests: Iterable[Sequence[Json]]) -> bool:
    """Whether every task of every request has got its own prediction."""
    return [answered(reply.result(timeout=120)) for reply in replies] == [expected(each) for each in requests]


class Crowd:
    """Clients of one server, each on a connection of its own."""

    def __init__(self, server: ServerProcess, size: int) -> None:
        limits = httpx.Limits(max_connections=size, max_keepalive_connections=size)
        self._client = httpx.Client(base_url=server.url, timeout=120, trust_env=False, limits=limits)
        self._pool = ThreadPoolExecutor(size)

    def send(self, body: bytes) -> Future[httpx.Response]:
        """Have one of them send a predict request as soon as it is free."""
        headers = {"Content-Type": "application/json"}
        return self._pool.submit(lambda: self._client.post("/predict", content=body, headers=headers))

    def send_all(self, bodies: Iterable[bytes]) -> list[httpx.Response]:
        """Send all of them, as many at once as there are clients, and give the replies in order."""
        return [reply.result(timeout=120) for reply in [self.send(body) for body in bodies]]

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
def leaving(server: ServerProcess, body: bytes) -> Iterator[Callable[[], None]]:
    """Send a predict request on a connection of its own, and give a way to hang up before the reply."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as caller:
        head = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        caller.sendall(head % len(body) + body)
        yield caller.close


class Gate:
    """A file that a task waits for."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def wait_entered(self) -> None:
        """Wait until the model works on the task."""
        wait_until(Path(f"{self.path}.entered").exists, 30, f"the model to come to {self.path.name}")

    @property
    def entered(self) -> bool:
        """Whether the model has come to the task."""
        return Path(f"{self.path}.entered").exists()

    def open(self) -> None:
        """Let the task go on."""
        self.path.touch()

    def task(self, do: str = "") -> Json:
        """A task that waits for it."""
        return task(do, gate=str(self.path))


class Calls:
    """What predict() was called with, in order, whichever process ran it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def lines(self) -> list[Json]:
        """A dict for each call: `pid` and `tokens`."""
        return [json.loads(line) for line in self.path.read_text().splitlines()] if self.path.exists() else []

    @property
    def tokens(self) -> list[str]:
        """The tokens of all calls, in order."""
        return [token for line in self.lines for token in line["tokens"]]


def health(server: ServerProcess) -> Json:
    """What `/health` says, asked on a fresh connection: whatever was sent before has been read by then."""
    with server.client() as client:
        state: Json = client.get("/health").json()
        return state


def wait_queued(server: ServerProcess, count: int) -> None:
    """Wait until so many tasks wait for a worker."""
    wait_until(lambda: health(server)["queued_tasks"] == count, 30, f"{count} tasks to be queued")


def wait_state(server: ServerProcess, state: str, timeout: float = 60) -> Json:
    """Wait until the model is in a state, and give what `/health` says of it."""

    def found() -> Json | None:
        model: Json = health(server)["model"]
        return model if model["state"] == state else None

    return wait_until(found, timeout, f"the model to be {state}")


def problems(server: ServerProcess) -> dict[str, str]:
    """Task id to reason, of the tasks that got no prediction."""
    return {problem["task"]: problem["reason"] for problem in health(server)["problems"] if problem["task"]}


def role(pid: int) -> str:
    """What a process of a server is there for: `worker`, `trainer`, `guard`; `other` for a model's own."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return "gone"
    modules = {b"label_studio_ml.predict.worker": "worker", b"label_studio_ml.train.trainer": "trainer"}
    modules[channel.WATCH.encode()] = "guard"
    return next((modules[word] for word in command if word in modules), "other")


def workers(server: ServerProcess) -> list[int]:
    """The living predict workers of a server, without what models have forked."""
    found = {pid for pid in server.children() if role(pid) == "worker"}
    return sorted(pid for pid in found if parent(pid) not in found)


def parent(pid: int) -> int:
    """The parent of a process; 0 when the process is gone."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0
    return int(status.rpartition(")")[2].split()[1])


def resident(pids: Iterable[int]) -> dict[int, float]:
    """Resident memory of processes in MB; those that are gone are left out."""
    found = {}
    for pid in pids:
        with contextlib.suppress(OSError, IndexError):
            pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
            found[pid] = pages * 4096 / 2**20
    return found
