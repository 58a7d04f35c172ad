"""Worker processes that a test plays: what they are told is noted, and they say what the test has them say."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from label_studio_ml.processes import messages
from label_studio_ml.processes.messages import Answer, Answered, Configure, Description, Predict, Ready, Stop, Warm

DESCRIPTION = Description("Model", 2, [], learns=False, concurrent=False)
READY = Ready(DESCRIPTION)


class PlayedChild:
    """A child process in name only: imports and warms at once, if the test wants that; answers when told to."""

    def __init__(
        self, pid: int, device: str, on_frame: Callable[[bytes], None], on_lost: Callable[[], None]
    ) -> None:
        self.pid, self.device = pid, device
        self._on_frame, self._on_lost = on_frame, on_lost
        self.heard: list[Any] = []
        self.imports: msgspec.Struct | None = READY
        self.warms = True
        self.exited = False
        self.kills = 0
        self._open: set[int] = set()
        self._lost = self._stops = False

    @property
    def calls(self) -> list[Predict]:
        """The calls it was sent."""
        return [message for message in self.heard if isinstance(message, Predict)]

    def send(self, frame: bytes) -> None:
        message = messages.to_worker(frame)
        self.heard.append(message)
        if isinstance(message, Configure) and self.imports is not None:
            self.say(self.imports)
        elif isinstance(message, Warm) and self.warms:
            self.say(messages.Warmed(message.id, f"v{message.version}"))
        elif isinstance(message, Predict):
            self._open.add(message.id)
        elif isinstance(message, Stop):
            self._stops = True
            self._go_if_done()

    def say(self, message: msgspec.Struct) -> None:
        asyncio.get_running_loop().call_soon(self._hear, messages.encode(message))

    def answer(self, number: int = -1, seconds: float = 0.001) -> None:
        """Answer a call: the last one, or that with this place."""
        call = self.calls[number]
        self.say(Answered(call.id, Answer(call.tasks, "v", call.version), seconds))
        self._open.discard(call.id)
        self._go_if_done()

    def go(self) -> None:
        """Its socket closes."""
        if not self.exited:
            self.exited = True
            asyncio.get_running_loop().call_soon(self._lose)

    def kill(self) -> None:
        self.kills += 1
        self.go()

    async def wait(self, _timeout: float) -> bool:
        return True

    async def ended(self) -> str:
        return "was ended by SIGKILL" if self.kills else "ended with exit code 9"

    def _go_if_done(self) -> None:
        """It was told to stop: it goes when it has finished what it has."""
        if self._stops and not self._open:
            self.go()

    def _hear(self, frame: bytes) -> None:
        if not self._lost:
            self._on_frame(frame)

    def _lose(self) -> None:
        if not self._lost:
            self._lost = True
            self._on_lost()


class PlayedChildren(list[PlayedChild]):
    """Those that were started, and how the next ones behave."""

    imports: msgspec.Struct | None = READY
    warms = True

    async def start(
        self,
        _module: str,
        environment: dict[str, str],
        on_frame: Callable[[bytes], None],
        on_lost: Callable[[], None],
    ) -> PlayedChild:
        """Takes the place of `processes.children.start`."""
        child = PlayedChild(1000 + len(self), environment.get("CUDA_VISIBLE_DEVICES", ""), on_frame, on_lost)
        child.imports, child.warms = self.imports, self.warms
        self.append(child)
        return child


def played_children(monkeypatch: pytest.MonkeyPatch) -> PlayedChildren:
    """Have workers be played from now on."""
    children = PlayedChildren()
    monkeypatch.setattr("label_studio_ml.processes.children.start", children.start)
    return children


class NotingListener:
    """Notes what it hears of a call."""

    def __init__(self) -> None:
        self.results: list[bytes] = []
        self.error: Exception | None = None
        self.ended = asyncio.Event()

    def streamed(self, answer: Answer) -> None:
        self.results += answer.results

    def answered(self, answer: Answer, seconds: float) -> None:
        self.results += answer.results
        self.ended.set()

    def failed(self, error: Exception) -> None:
        self.error = error
        self.ended.set()


def call(*tasks: bytes, project: str = "1", version: int = 0) -> Predict:
    """A call for tasks of one request."""
    return Predict(project, None, version, list(tasks) or [b"{}"], [len(tasks) or 1])
