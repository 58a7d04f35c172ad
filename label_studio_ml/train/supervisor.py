"""[web process] A claimed job while a trainer runs it: its lease is renewed, and it comes to an end in any case."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from typing import Any, Literal, Protocol

from ..errors import LoadError, StoreError, WorkerDied
from ..processes import messages
from ..settings import Settings
from ..store import jobs, transitions
from ..store.database import Database
from ..store.jobs import Job, JobState
from . import leases
from .faults import contained
from .housekeeping import Housekeeping
from .runner import Trains

_POLL = 1.0
"""Seconds between two looks at whether somebody has cancelled the job."""

_Reason = Literal[
    "cancelled",  # somebody wants it to end
    "timeout",  # fit() takes longer than it may
    "lost",  # another server has it now
]

_log = logging.getLogger(__name__)


class JobListener(Protocol):
    """Told what became of jobs."""

    def __call__(self, job: Job, state: JobState, error: str, /) -> None:
        """A job has ended in a state; `error` is empty unless it failed."""


class Supervisor:
    """Has trainers run the jobs that a scheduler has claimed."""

    def __init__(
        self,
        database: Database,
        settings: Settings,
        housekeeping: Housekeeping,
        on_version: Callable[[], None],
        on_job: JobListener,
    ) -> None:
        """Prepare.

        Args:
            database: the store.
            settings: of this server.
            housekeeping: deletes what an ended job leaves behind.
            on_version: told that a job has left a version.
            on_job: told of jobs that have ended.
        """
        self._database, self._settings = database, settings
        self._housekeeping, self._on_version, self._on_job = housekeeping, on_version, on_job

    async def run(self, trainer: Trains, job: Job) -> None:
        """Return when the job is over; cancelled, give it back."""
        loop = asyncio.get_running_loop()
        work = loop.create_task(trainer.run(job, job.lease_owner or ""))
        watch = loop.create_task(self._watch(job))
        try:
            await asyncio.wait({work, watch}, return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                await self._over(job, work)
            else:
                await self._give_up(trainer, job, work, watch.result())
        except asyncio.CancelledError:
            work.cancel()
            await trainer.stop()
            await asyncio.shield(self._database.write_async(transitions.give_back, job.id, job.lease_owner or ""))
            raise
        finally:
            watch.cancel()

    async def release(self, job: Job, error: str, last_error: str | None = None) -> JobState | None:
        """Whoever ran the job is gone; returns its state now, None when it was over already.

        Args:
            job: as it was found.
            error: why it is gone.
            last_error: what is announced when this was the last attempt; as `error` without.
        """
        state = await self._database.write_async(transitions.release, job.id, job.lease_owner or "", error)
        if state is JobState.FAILED:
            self._on_job(job, state, last_error or error)
        if state is not JobState.QUEUED:
            await self._housekeeping.sweep()
        return state

    async def _over(self, job: Job, work: asyncio.Task[messages.Outcome]) -> None:
        try:
            reply = work.result()
        except (WorkerDied, LoadError) as error:
            text = f"{error} It was to run fit() for project {job.project_id}."
            _log.error("Job %s: %s", job.id, text)
            await self.release(job, text)
            return
        if isinstance(reply, messages.Failed):
            current = await self._database.read_async(jobs.get, job.id)
            if current is not None and current.state is JobState.FAILED:  # else another server has taken it over
                self._on_job(job, JobState.FAILED, reply.error)
        elif isinstance(reply, messages.Fitted):
            self._on_job(job, JobState.FINISHED, "")
            await contained(self._housekeeping.prune_versions)
            if reply.version is not None:
                self._on_version()

    async def _watch(self, job: Job) -> _Reason:
        """Keep the job's lease until it must be ended; returns why."""
        started = renewed = time.monotonic()
        lost = False
        while True:
            await asyncio.sleep(_POLL)
            limit = self._settings.fit_timeout
            if limit and time.monotonic() - started > limit:
                return "timeout"
            with contextlib.suppress(StoreError):
                current = await self._database.read_async(jobs.get, job.id)
                if current is not None and current.cancel_requested:
                    return "cancelled"
                mine = current is None or not current.active or current.lease_owner == job.lease_owner
                if lost and not mine:
                    return "lost"
                lost = not mine  # looked at twice: the trainer may just be giving it back, and about to say so
                if time.monotonic() - renewed > leases.SECONDS / 3:
                    renewed = time.monotonic()
                    await self._database.write_async(jobs.renew, job.lease_owner or "", leases.SECONDS)

    async def _give_up(self, trainer: Trains, job: Job, work: asyncio.Task[Any], reason: _Reason) -> None:
        await trainer.stop()
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        if reason == "lost":
            _log.warning("Job %s is run by another server now; fit() was ended here", job.id)
        else:
            await (self._end_cancelled(job) if reason == "cancelled" else self._end_late(job))
        await self._housekeeping.sweep()

    async def _end_cancelled(self, job: Job) -> None:
        if await self._database.write_async(transitions.end_cancelled, job.id, job.lease_owner or ""):
            _log.info("Job %s was cancelled", job.id)
            self._on_job(job, JobState.CANCELLED, "")
        # else it had just finished; its version is found in the store

    async def _end_late(self, job: Job) -> None:
        text = f"fit() took longer than --fit-timeout ({self._settings.fit_timeout:g} s) and was ended."
        _log.error("Job %s: %s", job.id, text)
        if await self._database.write_async(transitions.fail, job.id, job.lease_owner or "", text, text):
            self._on_job(job, JobState.FAILED, text)
