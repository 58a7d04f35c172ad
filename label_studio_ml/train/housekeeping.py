"""[web process] Deletes what nobody needs any more: old events and jobs, surplus versions, files left behind."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from sqlalchemy import Connection

from ..processes.messages import Description
from ..settings import Settings
from ..store import events, jobs, projects, versions
from ..store.database import Database
from . import cleanup
from .faults import contained

_PAUSE = 3600.0
_log = logging.getLogger(__name__)


class Housekeeping:
    """Tidies one store and its model folder: every hour, and when something has just become unneeded."""

    def __init__(
        self, database: Database, settings: Settings, description: Callable[[], Description | None]
    ) -> None:
        self._database, self._settings, self._description = database, settings, description

    async def main_loop(self) -> None:
        """Tidy for ever."""
        while True:
            for work in (self.prune_events, self.prune_jobs, self.prune_versions, self.sweep):
                await contained(work)
            await asyncio.sleep(_PAUSE)

    async def prune_events(self) -> None:
        """Delete what was processed long ago, unless it is all that a later training could learn from."""
        before = time.time() - self._settings.keep_events
        description = self._description()
        learns_from_events = description is None or description.generation == 1
        deleted = await self._database.write_async(_prune_events, before, only_reached=learns_from_events)
        if deleted:
            _log.info("Deleted %d events that were processed long ago", deleted)

    async def prune_jobs(self) -> None:
        """Jobs go when their events have gone, unless a version came of them; their logs go along."""
        before = time.time() - self._settings.keep_events
        old = await self._database.write_async(jobs.prune, before)
        await asyncio.to_thread(cleanup.remove_jobs, self._settings.model_dir, old)

    async def prune_versions(self) -> None:
        """Delete versions beyond `--keep-versions` with their files."""
        keep = self._settings.keep_versions
        if keep and await self._database.write_async(_prune_versions, keep):
            await self.sweep()

    async def sweep(self) -> None:
        """Delete files that no job and no version needs."""
        await asyncio.to_thread(cleanup.sweep, self._database, self._settings.model_dir)


def _prune_events(connection: Connection, before: float, *, only_reached: bool) -> int:
    """How many were deleted; `only_reached`: of projects whose annotations Label Studio has given us since."""
    return sum(
        events.prune(connection, project.id, before)
        for project in projects.all_projects(connection)
        if project.reached_at is not None or not only_reached
    )


def _prune_versions(connection: Connection, keep: int) -> int:
    surplus = [
        version
        for project in projects.all_projects(connection)
        for version in versions.surplus(connection, project.id, keep)
    ]
    for version in surplus:
        versions.remove(connection, version)
    return len(surplus)
