"""What tests/backends/obedient.py is asked to do and must answer, and the files by which it is steered and seen."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import httpx

from scripts.processes import wait_until
from tests.support.paths import BACKENDS

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


def expected(tasks: Sequence[Json], without: Iterable[Json] = ()) -> list[str | None]:
    """What a reply must say: every task its own token, but for those that get no prediction."""
    names = {token(one) for one in without}
    return [None if token(one) in names else token(one) for one in tasks]


def all_answered(replies: Iterable[Future[httpx.Response]], requests: Iterable[Sequence[Json]]) -> bool:
    """Whether every task of every request has got its own prediction."""
    return [answered(reply.result(timeout=120)) for reply in replies] == [expected(each) for each in requests]


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
