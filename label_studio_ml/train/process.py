"""[web process] The trainer process: started when a job comes, ended when none has for a while."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Protocol

from ..errors import LoadError, WorkerDied
from ..processes import channel, messages
from ..processes.messages import Broken, Configure, Ready, Source, Stop
from ..store.jobs import Job

_ROUND = 1.0
"""Seconds between two looks at whether the process is still there."""

_log = logging.getLogger(__name__)


class Trains(Protocol):
    """Whoever runs jobs: the trainer process, or the calling process."""

    async def run(self, job: Job, owner: str) -> messages.Outcome:
        """Run a claimed job to its end.

        Raises:
            WorkerDied: the process running it ended; nothing of the job is stored.
            LoadError: the author's class cannot be loaded.
        """

    async def stop(self) -> None:
        """End; a job that runs is given up."""

    def kill(self) -> None:
        """End now."""

    def renew(self) -> None:
        """The author's code has changed: run the next job with the new one."""


class Trainer:
    """The trainer process, started when a job comes and ended when none has for a while."""

    def __init__(self, source: Source, forwarded: dict[str, Any], idle: float) -> None:
        self._source, self._forwarded, self._idle = source, forwarded, idle
        self._running: _Process | None = None
        self._leaving: asyncio.TimerHandle | None = None
        self._stale = False

    async def run(self, job: Job, owner: str) -> messages.Outcome:
        """See `Trains`."""
        if self._leaving is not None:
            self._leaving.cancel()
        if self._stale:
            self._stale = False
            self._leave()
        if self._running is None or self._running.lost:
            self._running = await _Process.start(self._source, self._forwarded)
        try:
            reply: messages.Outcome = await self._running.ask(messages.Fit(job.id, owner))
        finally:
            self._leaving = asyncio.get_running_loop().call_later(self._idle, self._leave)
        return reply

    async def stop(self) -> None:
        """See `Trains`."""
        if self._leaving is not None:
            self._leaving.cancel()
        running, self._running = self._running, None
        if running is not None:
            await running.end()

    def kill(self) -> None:
        """See `Trains`."""
        if self._running is not None:
            self._running.kill()

    def renew(self) -> None:
        """See `Trains`."""
        self._stale = True

    def _leave(self) -> None:
        """Nothing came for a while. A job that comes now gets a new process."""
        running, self._running = self._running, None
        if running is not None and not running.lost:
            _log.info("The trainer has nothing to do, or the code has changed, and it leaves")
            running.tell(Stop())


class _Process:
    """One child and the question it is at."""

    def __init__(self) -> None:
        self.lost = False
        self._child: channel.Child
        self._answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._burial: asyncio.Task[None] | None = None

    @classmethod
    async def start(cls, source: Source, forwarded: dict[str, Any]) -> _Process:
        """Start a child and wait until it has imported the author's code.

        Raises:
            LoadError: it could not.
            WorkerDied: it ended meanwhile.
        """
        process = cls()
        module = "label_studio_ml.train.trainer"
        process._child = await channel.start(module, {}, process._received, process._gone)
        process.tell(Configure("trainer", source, forwarded))
        try:
            message = await process._answer
        except asyncio.CancelledError:
            process.kill()
            raise
        if isinstance(message, Broken):
            await process.end()
            raise LoadError(message.error)
        return process

    def tell(self, message: Configure | messages.Fit | Stop) -> None:
        self._child.send(messages.encode(message))

    async def ask(self, message: messages.Fit) -> Any:
        """Send a message and wait for the reply; WorkerDied when the child ends first."""
        self._answer = asyncio.get_running_loop().create_future()
        if self.lost:
            raise WorkerDied("The trainer ended.")
        self.tell(message)
        while not (await asyncio.wait({self._answer}, timeout=_ROUND))[0]:
            if self._child.exited:
                self._child.kill()  # with what it has forked, which holds its socket
        return self._answer.result()

    def kill(self) -> None:
        self._child.kill()

    async def end(self) -> None:
        self._child.kill()
        await self._child.wait(5.0)

    def _received(self, frame: bytes) -> None:
        message = messages.from_trainer(frame)
        if not self._answer.done():
            self._answer.set_result(message)
        elif not isinstance(message, Ready):
            _log.warning("The trainer said something nobody waits for: %r", message)

    def _gone(self) -> None:
        self.lost = True
        self._burial = asyncio.get_running_loop().create_task(self._bury())

    async def _bury(self) -> None:
        how = await self._child.ended()
        if not self._answer.done():
            self._answer.set_exception(WorkerDied(f"The trainer {how}."))
