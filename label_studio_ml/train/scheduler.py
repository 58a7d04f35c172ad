"""[web process] Turns stored events into jobs and has trainers run them, each project's in order."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import os
import socket
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from sqlalchemy import Connection

from ..errors import LoadError, StoreError, WorkerDied
from ..processes import messages
from ..processes.messages import Description
from ..settings import Settings
from ..store import events, jobs, projects, transitions, versions
from ..store.database import Database
from ..store.jobs import Job, JobState
from . import cleanup, policy
from .policy import Rules
from .process import Trains

LEASE = 30.0
_POLL = 1.0
_TIDY = 3600.0
_NUDGED = 0.05
"""Seconds between two looks at the store, at the least: events may come faster than that is worth."""
_CLOCK = 5.0
"""Seconds by which the clock must differ to have been set."""
_owners_here: set[str] = set()
_log = logging.getLogger(__name__)


class Scheduler:
    """Runs until cancelled. Tell it with `nudge` that there may be work."""

    def __init__(
        self,
        database: Database,
        trainers: Sequence[Trains],
        settings: Settings,
        description: Callable[[], Description | None],
        on_version: Callable[[], None],
        on_job: Callable[[Job, JobState, str], None],
    ) -> None:
        """Prepare.

        Args:
            database: the store.
            trainers: run jobs, one each at a time.
            settings: of this server.
            description: the author's class, None while it is not loaded.
            on_version: told that a job has left a version.
            on_job: told a job, the state in which it ended, and the error if it failed.
        """
        self._database, self._trainers, self._settings = database, trainers, settings
        self._description, self._on_version, self._on_job = description, on_version, on_job
        self._owner = f"{socket.gethostname()}/{os.getpid()}/{uuid.uuid4().hex}"
        _owners_here.add(self._owner)
        self._running: dict[str, Trains] = {}
        self._known: Description | None = None
        self._ahead = time.time() - time.monotonic()
        self._claiming = asyncio.Lock()
        self._work = [asyncio.Event() for _ in trainers]

    def nudge(self) -> None:
        """There may be something to do."""
        for work in self._work:
            work.set()

    def rules(self, description: Description) -> Rules:
        """When to train."""
        return policy.rules(self._settings, description)

    async def main_loop(self) -> None:
        """Turn events into jobs and run them, for ever."""
        loops = [self._tidy_loop(), *map(self._lane, self._trainers, self._work)]
        tasks = [asyncio.get_running_loop().create_task(loop) for loop in loops]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
            for task in done:
                task.result()
        finally:  # unlike gather() alone this waits for all of them: jobs have to be given back
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _lane(self, trainer: Trains, work: asyncio.Event) -> None:
        while True:
            work.clear()
            if not await self._retrying(functools.partial(self.step, trainer)):
                await asyncio.sleep(_NUDGED)
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(work.wait(), _POLL)

    async def step(self, trainer: Trains | None = None) -> bool:
        """Turn waiting events into jobs and run the next one that is due; False when there is none."""
        description = self._description()
        if description is None:
            return False
        trainer = trainer or self._trainers[0]
        async with self._claiming:  # a job is not to be seen as claimed and not known to run: it would be recovered
            await self._follow_clock()
            await self._recover()
            if description != self._known:
                await self._take_up(description)
                self._known = description
            job = await self._claim()
            if job is None:
                return False
            self._running[job.id] = trainer
        await self._run(trainer, job)
        return True

    async def _follow_clock(self) -> None:
        """When somebody sets the clock, what was to start in two seconds must not start in an hour."""
        ahead = time.time() - time.monotonic()
        if abs(step := ahead - self._ahead) > _CLOCK:
            await self._database.write_async(jobs.shift, step)
            self._ahead = ahead
            _log.warning("The clock was set by %+.0f s; trainings that wait follow it", step)

    async def _claim(self) -> Job | None:
        due = await self._database.read_async(jobs.next_due)
        if due is None or due > time.time():
            return None
        return await self._database.write_async(transitions.claim, self._owner, LEASE)

    async def _retrying(self, work: Callable[[], Awaitable[Any]]) -> Any:
        try:
            return await work()
        except StoreError as error:
            _log.error("Training waits: %s", error)
        except Exception:  # noqa: BLE001 - a fault here must not end all training; the job at hand is given back
            _log.exception("Training goes on after an unexpected error")
        return False

    async def _take_up(self, description: Description) -> None:
        """Events that came before the class was known, or under other rules."""
        rules = self.rules(description)
        for project_id in await self._database.read_async(events.projects_pending):
            take = functools.partial(policy.take_up, project_id=project_id, description=description, rules=rules)
            await self._database.write_async(take)

    # --- one job ---------------------------------------------------------------------------------------

    async def _run(self, trainer: Trains, job: Job) -> None:
        work = asyncio.get_running_loop().create_task(trainer.run(job, self._owner))
        watch = asyncio.get_running_loop().create_task(self._watch(job))
        try:
            await asyncio.wait({work, watch}, return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                await self._over(job, work)
            else:
                await self._give_up(trainer, job, work, watch.result())
        except asyncio.CancelledError:
            work.cancel()
            await trainer.stop()
            await asyncio.shield(self._database.write_async(transitions.give_back, job.id, self._owner))
            raise
        finally:
            watch.cancel()
            self._running.pop(job.id, None)

    async def _over(self, job: Job, work: asyncio.Task[messages.Outcome]) -> None:
        try:
            reply = work.result()
        except (WorkerDied, LoadError) as error:
            text = f"{error} It was to run fit() for project {job.project_id}."
            _log.error("Job %s: %s", job.id, text)
            state = await self._database.write_async(transitions.release, job.id, self._owner, text)
            if state is not JobState.QUEUED:
                await self._sweep()
            if state is JobState.FAILED:
                self._on_job(job, state, text)
            return
        if isinstance(reply, messages.Failed):
            self._on_job(job, JobState.FAILED, reply.error)
        elif isinstance(reply, messages.Fitted):
            self._on_job(job, JobState.FINISHED, "")
            await self._retrying(self._prune_versions)
            if reply.version is not None:
                self._on_version()

    async def _watch(self, job: Job) -> str:
        """Keep the job's lease until it must be ended; returns why: `cancelled` or `timeout`."""
        started = renewed = time.monotonic()
        while True:
            await asyncio.sleep(_POLL)
            limit = self._settings.fit_timeout
            if limit and time.monotonic() - started > limit:
                return "timeout"
            with contextlib.suppress(StoreError):
                current = await self._database.read_async(jobs.get, job.id)
                if current is not None and current.cancel_requested:
                    return "cancelled"
                if time.monotonic() - renewed > LEASE / 3:
                    renewed = time.monotonic()
                    await self._database.write_async(jobs.renew, self._owner, LEASE)

    async def _give_up(self, trainer: Trains, job: Job, work: asyncio.Task[Any], reason: str) -> None:
        await trainer.stop()
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        await self._end(job, reason)
        await self._sweep()

    async def _end(self, job: Job, reason: str) -> None:
        if reason == "cancelled":
            ended = await self._database.write_async(transitions.end_cancelled, job.id, self._owner)
            if ended:
                _log.info("Job %s was cancelled", job.id)
                self._on_job(job, JobState.CANCELLED, "")
            return  # else it had just finished; its version is found in the store
        text = f"fit() took longer than --fit-timeout ({self._settings.fit_timeout:g} s) and was ended."
        _log.error("Job %s: %s", job.id, text)
        if await self._database.write_async(transitions.fail, job.id, self._owner, text, text):
            self._on_job(job, JobState.FAILED, text)

    async def _recover(self) -> None:
        """Give back jobs that nobody runs: their lease ran out, or the process that had them is not there."""
        for job in await self._database.read_async(jobs.started):
            owner = job.lease_owner or ""
            mine = owner == self._owner
            left = job.id not in self._running if mine else job.lease_is_over(LEASE) or _is_dead(owner)
            if left:
                release = functools.partial(
                    transitions.release, job_id=job.id, owner=owner, error="The server stopped while fit() ran."
                )
                state = await self._database.write_async(release)
                now = "over already" if state is None else state.value
                _log.warning("Job %s was left behind by a server that is gone; it is %s now", job.id, now)
                if state is JobState.FAILED:
                    self._on_job(job, state, "The server stopped while fit() ran, again and again.")
                if state is not JobState.QUEUED:
                    await self._sweep()

    # --- housekeeping ----------------------------------------------------------------------------------

    async def _tidy_loop(self) -> None:
        while True:
            await self._retrying(self._prune_events)
            await self._retrying(self._prune_jobs)
            await self._retrying(self._prune_versions)
            await self._retrying(self._sweep)
            await asyncio.sleep(_TIDY)

    async def _prune_events(self) -> None:
        """Delete what was processed long ago, unless it is all that a later training could learn from."""
        before = time.time() - self._settings.keep_events
        description = self._description()

        def prune(connection: Connection) -> int:
            deleted = 0
            for project in projects.all_projects(connection):
                if project.reached_at is not None or (description is not None and description.generation == 2):
                    deleted += events.prune(connection, project.id, before)
            return deleted

        if deleted := await self._database.write_async(prune):
            _log.info("Deleted %d events that were processed long ago", deleted)

    async def _prune_jobs(self) -> None:
        """Jobs go when their events have gone, unless a version came of them; their logs go along."""
        before = time.time() - self._settings.keep_events
        old = await self._database.write_async(jobs.prune, before)
        await asyncio.to_thread(cleanup.remove_jobs, self._settings.model_dir, old)

    async def _prune_versions(self) -> None:
        keep = self._settings.keep_versions
        if not keep:
            return

        def prune(connection: Connection) -> int:
            pruned = 0
            for project in projects.all_projects(connection):
                for version in versions.surplus(connection, project.id, keep):
                    versions.remove(connection, version)
                    pruned += 1
            return pruned

        if await self._database.write_async(prune):
            await self._sweep()

    async def _sweep(self) -> None:
        await asyncio.to_thread(cleanup.sweep, self._database, self._settings.model_dir)


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
