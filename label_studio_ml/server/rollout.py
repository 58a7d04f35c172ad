"""Moving projects to another version: one that was just trained, or one that somebody chose."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable

from sqlalchemy import Connection

from ..errors import LoadError, StoreError, WorkerDied
from ..predict.runner import Runner
from ..store import projects, versions
from ..store.database import Database
from .active_versions import ActiveVersions

_POLL = 1.0
_LOADS = 3
"""Times a version is tried whose process dies: it may have been killed, which is not the version's fault."""
_log = logging.getLogger(__name__)


class Rollout:
    """Has versions loaded, and lets them predict. The store may change beside us: `main_loop` watches it."""

    def __init__(self, database: Database, active: ActiveVersions, runner: Runner) -> None:
        self._database, self._active, self._runner = database, active, runner
        self._lock = asyncio.Lock()
        self._news = asyncio.Event()

    async def refresh(self) -> None:
        """Load versions that wait to be tried, and follow the store where another one was activated."""
        async with self._lock:
            waiting = await self._database.read_async(versions.untried)
            for project_id, number in waiting.items():
                await self._active.know(project_id)
                await self._try(project_id, number)
            for project in await self._database.read_async(projects.all_projects):
                number = project.active_version
                if self._active.is_known(project.id) and self._active.number(project.id) != number:
                    await self._follow(project.id, number)

    def wake(self) -> None:
        """There may be a new version."""
        self._news.set()

    async def main_loop(self) -> None:
        """Refresh for ever."""
        while True:
            self._news.clear()
            try:
                await self.refresh()
            except StoreError:
                pass  # whoever needs the store now says so
            except Exception:  # noqa: BLE001 - a fault here must not keep every later version from serving
                _log.exception("Moving to another version failed unexpectedly; it is tried again")
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._news.wait(), _POLL)

    async def _try(self, project_id: str, number: int) -> None:
        async def activate(name: str) -> None:
            newest = await self._database.write_async(versions.take_over, project_id, number)
            if newest:  # else `refresh` follows to the one that is
                self._activated(project_id, number, name)

        try:
            await self._swap(project_id, number, activate)
        except LoadError as error:
            _log.error(
                "Version %d of project %s cannot be loaded, so %s stays: %s",
                number,
                project_id,
                self._active.name(project_id),
                error,
            )
            text = str(error)
            await self._database.write_async(versions.fail, project_id, number, text)

    async def _follow(self, project_id: str, number: int) -> None:
        async def activate(name: str) -> None:
            self._activated(project_id, number, name)

        try:
            await self._swap(project_id, number, activate)
        except LoadError as error:
            before, text = self._active.number(project_id), str(error)

            def take_back(connection: Connection) -> None:
                versions.activate(connection, project_id, before)
                versions.fail(connection, project_id, number, text)

            await self._database.write_async(take_back)
            _log.error("Version %d of project %s was activated but cannot be loaded: %s", number, project_id, error)

    async def _swap(self, project_id: str, number: int, activate: Callable[[str], Awaitable[None]]) -> None:
        for left in reversed(range(_LOADS)):
            try:
                await self._runner.swap(project_id, number, activate)
            except WorkerDied as error:
                if not left:
                    raise LoadError(str(error)) from error
                _log.warning("Version %d of project %s is loaded again: %s", number, project_id, error)
            else:
                return

    def _activated(self, project_id: str, number: int, name: str) -> None:
        self._active.activated(project_id, number, name)
        _log.info("Project %s is served by version %s", project_id, name)
