"""[web process] Turns stored events into jobs and has trainers run them, each project's in order."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import time
from collections.abc import Callable, Sequence

from ..processes.messages import Description
from ..settings import Settings
from ..store import events, jobs, transitions
from ..store.database import Database
from ..store.jobs import Job
from . import leases, policy
from .faults import contained
from .housekeeping import Housekeeping
from .policy import Rules
from .runner import Trains
from .supervisor import JobListener, Supervisor

_POLL = 1.0
"""Seconds between two looks at the store when nobody says that there is work: other processes write, too."""
_WOKEN = 0.05
"""Seconds between two looks at the store, at the least: events may come faster than that is worth."""
_CLOCK = 5.0
"""Seconds by which the clock must differ to have been set."""
_log = logging.getLogger(__name__)


class Scheduler:
    """Runs until cancelled. Tell it with `wake` that there may be work."""

    def __init__(
        self,
        database: Database,
        trainers: Sequence[Trains],
        settings: Settings,
        description: Callable[[], Description | None],
        on_version: Callable[[], None],
        on_job: JobListener,
    ) -> None:
        """Prepare.

        Args:
            database: the store.
            trainers: run jobs, one each at a time.
            settings: of this server.
            description: the author's class, None while it is not loaded.
            on_version: told that a job has left a version.
            on_job: told of jobs that have ended.
        """
        self._database, self._trainers, self._settings = database, trainers, settings
        self._description = description
        self._server, self._watch = leases.new_server(), leases.Watch()
        self._housekeeping = Housekeeping(database, settings, description)
        self._supervisor = Supervisor(database, settings, self._housekeeping, on_version, on_job)
        self._running: set[str | None] = set()
        """Owners of the leases."""
        self._known: Description | None = None
        self._ahead = time.time() - time.monotonic()
        self._claiming = asyncio.Lock()
        self._work = [asyncio.Event() for _ in trainers]

    def wake(self) -> None:
        """There may be something to do."""
        for work in self._work:
            work.set()

    def rules(self, description: Description) -> Rules:
        """When to train."""
        return policy.rules(self._settings, description)

    async def main_loop(self) -> None:
        """Turn events into jobs and run them, for ever."""
        loops = [self._housekeeping.main_loop(), *map(self._lane, self._trainers, self._work)]
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
            if not await contained(functools.partial(self.step, trainer)):
                await asyncio.sleep(_WOKEN)
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(work.wait(), _POLL)

    async def step(self, trainer: Trains | None = None) -> bool:
        """Turn waiting events into jobs and run the next one that is due; False when there is none."""
        description = self._description()
        if description is None:
            return False
        async with self._claiming:  # a job is not to be seen as claimed and not known to run: it would be recovered
            await self._follow_clock()
            await self._recover()
            if description != self._known:
                await self._take_up(description)
                self._known = description
            job = await self._claim()
            if job is None:
                return False
            self._running.add(job.lease_owner)
        try:
            await self._supervisor.run(trainer or self._trainers[0], job)
        finally:
            self._running.discard(job.lease_owner)
        return True

    async def _follow_clock(self) -> None:
        """When somebody sets the clock, what was to start in two seconds must not start in an hour."""
        ahead = time.time() - time.monotonic()
        if abs(step := ahead - self._ahead) > _CLOCK:
            await self._database.write_async(jobs.shift, step)
            self._ahead = ahead
            _log.warning("The clock was set by %+.0f s; trainings that wait follow it", step)

    async def _recover(self) -> None:
        """Give back jobs that nobody runs: their lease ran out, or the process that had them is not there."""
        started = await self._database.read_async(jobs.started)
        others = [job for job in started if not leases.is_of(job.lease_owner, self._server)]
        mine = [job for job in started if job not in others and job.lease_owner not in self._running]
        for job in (*mine, *self._watch.lost(others)):
            why = "The server stopped while fit() ran."
            again = "The server stopped while fit() ran, again and again."
            state = await self._supervisor.release(job, why, again)
            now = "over already" if state is None else state.value
            _log.warning("Job %s was left behind by a server that is gone; it is %s now", job.id, now)

    async def _take_up(self, description: Description) -> None:
        """Events that came before the class was known, or under other rules."""
        rules = self.rules(description)
        for project_id in await self._database.read_async(events.projects_pending):
            await self._database.write_async(policy.take_up, project_id, description, rules)

    async def _claim(self) -> Job | None:
        due = await self._database.read_async(jobs.next_due)
        if due is None or due > time.time():
            return None
        return await self._database.write_async(transitions.claim, leases.new_owner(self._server), leases.SECONDS)
