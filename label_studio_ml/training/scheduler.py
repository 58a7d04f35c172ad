"""[web process] Turns stored events into jobs and has the trainer run them, one after another."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import os
import socket
import uuid
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from .. import channel
from ..backend.answers import Broken, Configure, Description, Ready, Stop
from ..backend.source import Source
from ..errors import LoadError, StoreError, WorkerDied
from ..store import events, jobs
from ..store.database import Database
from ..store.jobs import Job
from . import messages, policy

LEASE = 30.0
_POLL = 1.0
_owners_here: set[str] = set()
_log = logging.getLogger(__name__)


class Trains(Protocol):
    """Whoever runs jobs: the trainer process, or the calling process."""

    async def run(self, job: Job, owner: str) -> messages.Fitted | messages.Failed:
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

    async def run(self, job: Job, owner: str) -> messages.Fitted | messages.Failed:
        """See `Trains`."""
        if self._leaving is not None:
            self._leaving.cancel()
        if self._child is None:
            await self._start()
        reply: messages.Fitted | messages.Failed = await self._ask(messages.Fit(job.id, owner))
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


class Scheduler:
    """Runs until cancelled. Tell it with `nudge` that there may be work."""

    def __init__(
        self,
        database: Database,
        trainer: Trains,
        description: Callable[[], Description | None],
        on_version: Callable[[], None],
        on_job: Callable[[Job, jobs.State, str], None],
    ) -> None:
        """Prepare.

        Args:
            database: the store.
            trainer: runs jobs.
            description: the author's class, None while it is not loaded.
            on_version: told that a job has left a version.
            on_job: told a job, the state in which it ended, and the error if it failed.
        """
        self._database, self._trainer = database, trainer
        self._description, self._on_version, self._on_job = description, on_version, on_job
        self._owner = f"{socket.gethostname()}/{os.getpid()}/{uuid.uuid4().hex}"
        _owners_here.add(self._owner)
        self._work = asyncio.Event()

    def nudge(self) -> None:
        """There may be something to do."""
        self._work.set()

    async def main_loop(self) -> None:
        """Turn events into jobs and run them, for ever."""
        await self._retrying(self._recover)
        while True:
            self._work.clear()
            ran = await self._retrying(self.step)
            if not ran:
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(self._work.wait(), _POLL)

    async def step(self) -> bool:
        """Turn waiting events into jobs and run the next one; False when there is none."""
        description = self._description()
        if description is None:
            return False
        await self._recover()
        await self._take_up(description)
        job = await self._claim()
        if job is None:
            return False
        await self._run(job)
        return True

    async def _retrying(self, work: Callable[[], Awaitable[Any]]) -> Any:
        try:
            return await work()
        except StoreError as error:
            _log.error("Training waits: %s", error)
            return False

    async def _take_up(self, description: Description) -> None:
        def take(connection: Any) -> None:
            for event_id, project_id, action in events.pending(connection):
                policy.take_up(connection, event_id, project_id, action, description)

        if await self._database.read_async(lambda connection: events.pending(connection, 1)):
            await self._database.write_async(take)

    async def _claim(self) -> Job | None:
        if not await self._database.read_async(jobs.any_queued):
            return None
        return await self._database.write_async(lambda connection: jobs.claim(connection, self._owner, LEASE))

    async def _run(self, job: Job) -> None:
        lease = asyncio.get_running_loop().create_task(self._keep_lease())
        try:
            reply = await self._trainer.run(job, self._owner)
        except (WorkerDied, LoadError) as error:
            text = f"{error} It was to run fit() for project {job.project_id}."
            _log.error("Job %s: %s", job.id, text)
            state = await self._database.write_async(
                lambda connection: jobs.release(connection, job.id, self._owner, text)
            )
            if state is jobs.State.FAILED:
                self._on_job(job, state, text)
            else:
                await asyncio.sleep(2.0**job.attempts / 2)
        except asyncio.CancelledError:
            await self._trainer.stop()
            await asyncio.shield(
                self._database.write_async(lambda connection: jobs.give_back(connection, job.id, self._owner))
            )
            raise
        else:
            if isinstance(reply, messages.Failed):
                self._on_job(job, jobs.State.FAILED, reply.error)
                return
            self._on_job(job, jobs.State.FINISHED, "")
            if reply.version is not None:
                self._on_version()
        finally:
            lease.cancel()

    async def _keep_lease(self) -> None:
        while True:
            await asyncio.sleep(LEASE / 3)
            with contextlib.suppress(StoreError):
                await self._database.write_async(lambda connection: jobs.renew(connection, self._owner, LEASE))

    async def _recover(self) -> None:
        """Give back the jobs of servers that are gone: their lease ran out, or their process is not there."""
        for job in await self._database.read_async(jobs.started):
            owner = job.lease_owner or ""
            if owner != self._owner and (jobs.lease_is_over(job) or _is_dead(owner)):
                state = await self._database.write_async(
                    functools.partial(
                        jobs.release, job_id=job.id, owner=owner, error="The server stopped while fit() ran."
                    )
                )
                _log.warning("Job %s was left behind by a server that is gone: %s", job.id, state)


def _is_dead(owner: str) -> bool:
    host, _, rest = owner.partition("/")
    pid = rest.partition("/")[0]
    if host != socket.gethostname() or not pid.isdigit():
        return False
    if int(pid) == os.getpid():
        return owner not in _owners_here  # an earlier life of this process, as in a restarted container
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
