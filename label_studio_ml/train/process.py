"""[web process] The trainer process as the scheduler sees it: there while jobs come.

`trainer` is what runs there; `in_process` does without it.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from ..errors import LoadError, WorkerDied
from ..processes import children, messages
from ..processes.messages import Broken, Configure, Ready, Source, Stop
from ..store.jobs import Job

_ROUND = 1.0
"""Seconds between two looks at whether the process is still there."""

_log = logging.getLogger(__name__)


class Trainer:
    """Runs jobs in a trainer process, one at a time."""

    def __init__(self, source: Source, forwarded: dict[str, Any], idle: float) -> None:
        """Prepare; no process is started yet.

        Args:
            source: where the author's class is.
            forwarded: settings of the process.
            idle: seconds without a job after which the process ends.
        """
        self._source, self._forwarded, self._idle = source, forwarded, idle
        self._running: _Process | None = None
        self._leaving: asyncio.TimerHandle | None = None
        self._stale = False

    async def run(self, job: Job, owner: str) -> messages.Outcome:
        """Run a claimed job to its end.

        Raises:
            WorkerDied: the process ended; nothing of the job is stored.
            LoadError: the author's class cannot be loaded.
        """
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
        """End the process; a job that runs is given up."""
        if self._leaving is not None:
            self._leaving.cancel()
        running, self._running = self._running, None
        if running is not None:
            await running.end()

    def kill(self) -> None:
        """End the process now."""
        if self._running is not None:
            self._running.kill()

    def renew(self) -> None:
        """The author's code has changed: the next job gets a new process."""
        self._stale = True

    def _leave(self) -> None:
        """Nothing came for a while. A job that comes now gets a new process."""
        running, self._running = self._running, None
        if running is not None and not running.lost:
            _log.info("The trainer has nothing to do, or the code has changed, and it leaves")
            running.tell(Stop())


class _Replies:
    """What a child says: one message at a time is waited for."""

    def __init__(self) -> None:
        self.closed = asyncio.Event()
        """The child is gone, or is about to be."""
        self._awaited: asyncio.Future[Any] | None = None

    def expect(self) -> asyncio.Future[Any]:
        """The next message."""
        self._awaited = asyncio.get_running_loop().create_future()
        return self._awaited

    def received(self, frame: bytes) -> None:
        """A message has come."""
        message = messages.from_trainer(frame)
        if self._awaited is not None and not self._awaited.done():
            self._awaited.set_result(message)
        elif not isinstance(message, Ready):
            _log.warning("The trainer said something nobody waits for: %r", message)

    def fail(self, error: WorkerDied) -> None:
        """There will be no more messages."""
        if self._awaited is not None and not self._awaited.done():
            self._awaited.set_exception(error)


class _Process:
    """One child, and what it was asked."""

    def __init__(self, child: children.Child, replies: _Replies) -> None:
        self._child, self._replies = child, replies
        self._reaping = asyncio.get_running_loop().create_task(self._reap())

    @classmethod
    async def start(cls, source: Source, forwarded: dict[str, Any]) -> _Process:
        """Start a child and wait until it has imported the author's code.

        Raises:
            LoadError: it could not.
            WorkerDied: it ended meanwhile.
        """
        replies = _Replies()
        loaded = replies.expect()
        module = "label_studio_ml.train.trainer"
        child = await children.start(module, {}, replies.received, replies.closed.set)
        process = cls(child, replies)
        process.tell(Configure("trainer", source, forwarded))
        try:
            message = await loaded
        except asyncio.CancelledError:
            process.kill()
            raise
        if isinstance(message, Broken):
            await process.end()
            raise LoadError(message.error)
        return process

    @property
    def lost(self) -> bool:
        """Whether it is gone, or is about to be."""
        return self._replies.closed.is_set()

    def tell(self, message: Configure | messages.Fit | Stop) -> None:
        """Send a message."""
        self._child.send(messages.encode(message))

    async def ask(self, message: messages.Fit) -> Any:
        """Send a message and wait for the reply; WorkerDied when the child ends first."""
        if self.lost:
            raise WorkerDied("The trainer ended.")
        reply = self._replies.expect()
        self.tell(message)
        while not (await asyncio.wait({reply}, timeout=_ROUND))[0]:
            if self._child.exited:
                self._child.kill()  # with what it has forked, which holds its socket
        return reply.result()

    def kill(self) -> None:
        """End it now."""
        self._child.kill()

    async def end(self) -> None:
        """End it, and wait until it has."""
        self._child.kill()
        await self._child.wait(5.0)

    async def _reap(self) -> None:
        await self._replies.closed.wait()
        how = await self._child.ended()
        self._replies.fail(WorkerDied(f"The trainer {how}."))
