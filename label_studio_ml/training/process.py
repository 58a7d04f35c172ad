"""[web process] The trainer process: started when a job comes, ended when none has for a while."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Protocol

from .. import channel
from ..backend.answers import Broken, Configure, Ready, Stop
from ..backend.source import Source
from ..errors import LoadError, WorkerDied
from ..store.jobs import Job
from . import messages

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


class Trainer:
    """The trainer process, started when a job comes and ended when none has for a while."""

    def __init__(self, source: Source, forwarded: dict[str, Any], idle: float) -> None:
        self._source, self._forwarded, self._idle = source, forwarded, idle
        self._child: channel.Child | None = None
        self._answer: asyncio.Future[Any] | None = None
        self._leaving: asyncio.TimerHandle | None = None
        self._endings: set[asyncio.Task[None]] = set()

    async def run(self, job: Job, owner: str) -> messages.Outcome:
        """See `Trains`."""
        if self._leaving is not None:
            self._leaving.cancel()
        if self._child is None:
            await self._start()
        try:
            reply: messages.Outcome = await self._ask(messages.Fit(job.id, owner))
        finally:
            self._leaving = asyncio.get_running_loop().call_later(self._idle, self._leave)
        return reply

    async def stop(self) -> None:
        """See `Trains`."""
        if self._child is not None:
            child, self._child = self._child, None
            child.kill()
            await child.wait(5.0)

    def kill(self) -> None:
        """See `Trains`."""
        if self._child is not None:
            self._child.kill()

    async def _start(self) -> None:
        loop = asyncio.get_running_loop()
        self._answer = loop.create_future()
        self._child = await channel.start("label_studio_ml.training.trainer", {}, self._received, self._lost)
        ready = self._answer
        self._child.send(messages.encode(Configure("trainer", self._source, self._forwarded)))
        message = await ready
        if isinstance(message, Broken):
            await self.stop()
            raise LoadError(message.error)

    async def _ask(self, message: messages.Fit) -> Any:
        if self._child is None:
            raise WorkerDied("The trainer ended.")
        self._answer = asyncio.get_running_loop().create_future()
        self._child.send(messages.encode(message))
        return await self._answer

    def _received(self, frame: bytes) -> None:
        message = messages.from_trainer(frame)
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(message)
        elif not isinstance(message, Ready):
            _log.warning("The trainer said something nobody waits for: %r", message)

    def _lost(self) -> None:
        child, self._child = self._child, None
        task = asyncio.get_running_loop().create_task(self._bury(child))
        self._endings.add(task)
        task.add_done_callback(self._endings.discard)

    async def _bury(self, child: channel.Child | None) -> None:
        how = "ended" if child is None else await child.ended()
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(WorkerDied(f"The trainer {how}."))

    def _leave(self) -> None:
        if self._child is not None:
            _log.info("The trainer has nothing to do and leaves")
            self._child.send(messages.encode(Stop()))
