"""A runner that a test plays: it holds each call until the test says how it ends; and clients in front of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import anyio

from label_studio_ml import settings
from label_studio_ml.errors import LabelStudioError, WorkerDied
from label_studio_ml.predict.clients import Clients
from label_studio_ml.predict.request import Predictions
from label_studio_ml.predict.runner import Listener, Room
from label_studio_ml.predict.status import ModelStatus
from label_studio_ml.processes.messages import Answer, Predict, Problem


def given(call: Predict) -> list[list[str]]:
    """The tasks of a call, request by request."""
    tasks = iter(call.tasks)
    return [[json.loads(next(tasks)) for _ in range(size)] for size in call.sizes]


def echo(tasks: list[bytes]) -> Answer:
    """What a model says that answers each task with itself; tasks named `bad…` get a problem."""
    names = [json.loads(task) for task in tasks]
    problems = [
        Problem(place, name, "predict", f"predict() raised {name}")
        for place, name in enumerate(names)
        if str(name).startswith("bad")
    ]
    results = [b"[]" if str(name).startswith("bad") else task for name, task in zip(names, tasks, strict=True)]
    return Answer(results, "v1", 1, problems)


@dataclass
class HeldCall:
    """A call that the runner holds until the test says how it ends."""

    runner: PlayedRunner
    call: Predict
    listener: Listener
    room: Room
    over: bool = False
    streamed: int = 0

    def stream(self, count: int) -> None:
        """Give the results of the next tasks."""
        start, self.streamed = self.streamed, self.streamed + count
        self.listener.streamed(echo(self.call.tasks[start : self.streamed]))

    def answer(self, answer: Answer | None = None, seconds: float = 0.001) -> None:
        self._end()
        self.listener.answered(answer or echo(self.call.tasks[self.streamed :]), seconds)
        self.runner.on_room()

    def fail(self, error: Exception) -> None:
        self._end()
        self.runner.free -= isinstance(error, WorkerDied)  # until it is replaced
        self.listener.failed(error)
        self.runner.on_room()

    def die(self, how: str = "The process ended.", *, stuck: bool = False) -> None:
        """End as when the worker ends."""
        others = [one for one in self.runner.started if not one.over and one is not self]
        self.fail(WorkerDied(how, alone=not others, stuck=stuck))

    def _end(self) -> None:
        self.over = True
        self.runner.free += 1


class PlayedRunner:
    """Runs what it is told to, and ends calls when it is told to."""

    def __init__(self, capacity: int = 1) -> None:
        self.free = self.capacity = capacity
        self.open, self.ahead, self.reserved = True, False, False
        self.started: list[HeldCall] = []
        self.status = ModelStatus("ready")
        self.on_room: Callable[[], None] = lambda: None
        self.pids: list[int] = []
        self.memory: dict[str, int] = {}
        self.woken = 0
        self.suspensions: list[str] = []
        self.stored: list[tuple[str, list[dict[str, Any]]]] = []
        self.refusal: LabelStudioError | None = None

    def has_room(self, room: Room) -> bool:
        if room == "alone":
            return self.open and self.free > 0
        if room == "ahead":
            return self.open and self.ahead and self.free > -self.capacity
        return self.open and self.free > (1 if self.reserved else 0)

    def reserve(self, wanted: bool) -> None:
        self.reserved = wanted

    def submit(self, call: Predict, listener: Listener, room: Room) -> None:
        assert self.has_room(room)
        self.free -= 1
        self.started.append(HeldCall(self, call, listener, room))

    async def replace_worker(self) -> None:
        self.free += 1
        self.on_room()
        await settle()

    @property
    def running(self) -> list[HeldCall]:
        return [one for one in self.started if not one.over]

    @property
    def calls(self) -> list[list[list[str]]]:
        return [given(running.call) for running in self.started]

    def wake(self) -> None:
        self.woken += 1

    def suspend(self, error: str) -> None:
        self.suspensions.append(error)

    def subscribe(self, on_room: Callable[[], None]) -> None:
        self.on_room = on_room

    async def settled(self, after: ModelStatus | None = None) -> ModelStatus:
        return self.status

    async def start(self) -> None: ...
    async def stop(self, timeout: float) -> None: ...  # noqa: ASYNC109 - as the real ones
    def kill(self) -> None: ...
    def retry(self) -> None: ...
    async def warm(self, project_id: str, label_config: str | None) -> str:
        return "v1"

    async def swap(self, project_id: str, version: int, activate: Callable[[str], Awaitable[None]]) -> None: ...

    async def store(self, project_id: str, predictions: list[dict[str, Any]]) -> None:
        if self.refusal is not None:
            raise self.refusal
        self.stored.append((project_id, predictions))


class Observer:
    def __init__(self) -> None:
        self.calls: list[tuple[int, int, float]] = []
        self.problems: list[tuple[str, str]] = []

    def predicted(self, tasks: int, requests: int, seconds: float) -> None:
        self.calls.append((tasks, requests, seconds))

    def problem(self, project_id: str, problem: Problem) -> None:
        self.problems.append((project_id, problem.task))


class Desk:
    """The clients of a server with a played runner, and short ways to ask it."""

    def __init__(self, *, capacity: int = 1, **options: Any) -> None:
        self.runner, self.observer = PlayedRunner(capacity), Observer()
        self.version = 1
        self.clients = Clients(
            self.runner, settings.load({}, **options), self.observer, lambda _project: self.version
        )
        self._asked: list[asyncio.Task[Predictions]] = []

    async def ask(
        self,
        *tasks: Any,
        interactive: bool = False,
        project: str = "1",
        config: str | None = None,
        params: bytes = b"{}",
        body: bytes | None = None,
        gone: Callable[[], Awaitable[Any]] | None = None,
    ) -> asyncio.Task[Predictions]:
        """Ask for predictions and let everything happen that follows."""
        encoded = [json.dumps(task).encode() for task in tasks]
        work = self.clients.predict(project, config, encoded, params, interactive=interactive, body=body, gone=gone)
        task = asyncio.ensure_future(work)
        self._asked.append(task)
        await settle()
        return task

    async def answer_all(self) -> None:
        """Answer whatever runs until nothing does."""
        while running := self.runner.running:
            running[0].answer()
            await settle()

    def deadline(self, seconds: float) -> None:
        """Let requests from now on have more time, or less."""
        self.clients._waiting._deadline = seconds

    def end(self) -> None:
        for task in self._asked:
            task.cancel()


async def settle() -> None:
    """Let everything that can happen now happen."""
    for _ in range(10):
        await asyncio.sleep(0)


def results(outcome: Predictions) -> list[str]:
    return [json.loads(item) or "" for item in outcome.results]


async def until(condition: Callable[[], bool], what: str = "what was expected", patience: float = 60) -> None:
    """Wait until something is so."""
    with anyio.move_on_after(patience):
        while not condition():  # noqa: ASYNC110 - anything may be asked
            await anyio.sleep(0.01)
    assert condition(), f"waited {patience:g} s for {what}"


def with_ids(*numbers: int) -> list[dict[str, int]]:
    return [{"id": number} for number in numbers]


Desks = Callable[..., Desk]
