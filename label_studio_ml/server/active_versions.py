"""Which version serves each project, and moving projects to another one."""

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
from ..store.versions import INITIAL_NAME

_POLL = 1.0
_LOADS = 3
"""Times a version is tried whose process dies: it may have been killed, which is not the version's fault."""
_log = logging.getLogger(__name__)


class Serving:
    """What `/setup` announces and workers predict with. The store may change beside us: `main_loop` watches it."""

    def __init__(self, database: Database) -> None:
        self.runner: Runner
        self._database = database
        self._numbers: dict[str, int] = {}
        self._names: dict[str, str] = {}
        self._lock = asyncio.Lock()
        self._news = asyncio.Event()

    def number(self, project_id: str) -> int:
        """Number of the version that serves a project."""
        return self._numbers.get(project_id, 0)

    def name(self, project_id: str) -> str:
        """Its name, as far as known."""
        return self._names.get(project_id, INITIAL_NAME)

    def named(self, project_id: str, number: int, name: str) -> None:
        """A worker says what the version is called now."""
        if number == self.number(project_id):
            self._names[project_id] = name

    async def know(self, project_id: str, label_config: str | None = None) -> None:
        """Make sure that the project is in the store and here.

        Raises:
            StoreError: the database cannot be used.
        """
        if project_id in self._numbers:
            return
        project = await self._database.read_async(projects.get, project_id)
        if project is None:
            project = await self._database.write_async(projects.save, project_id, label_config=label_config)
        active = await self._database.read_async(versions.active, project_id)
        self._names.setdefault(project_id, active.name if active else INITIAL_NAME)
        self._numbers.setdefault(project_id, project.active_version)

    def forget(self, project_id: str) -> None:
        """The project was deleted."""
        self._numbers.pop(project_id, None)
        self._names.pop(project_id, None)

    def overview(self) -> list[dict[str, str]]:
        """The projects known so far, for people."""
        return [
            {"project": project_id, "model_version": self.name(project_id)} for project_id in sorted(self._numbers)
        ]

    async def refresh(self) -> None:
        """Load versions that wait to be tried, and follow the store where another one was activated."""
        async with self._lock:
            waiting = await self._database.read_async(versions.untried)
            for project_id, number in waiting.items():
                await self.know(project_id)
                await self._try(project_id, number)
            for project in await self._database.read_async(projects.all_projects):
                number = project.active_version
                if self._numbers.get(project.id, number) != number:
                    await self._follow(project.id, number)

    def nudge(self) -> None:
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
                self._serve(project_id, number, name)

        try:
            await self._swap(project_id, number, activate)
        except LoadError as error:
            _log.error(
                "Version %d of project %s cannot be loaded, so %s stays: %s",
                number,
                project_id,
                self.name(project_id),
                error,
            )
            text = str(error)
            await self._database.write_async(versions.fail, project_id, number, text)

    async def _follow(self, project_id: str, number: int) -> None:
        async def activate(name: str) -> None:
            self._serve(project_id, number, name)

        try:
            await self._swap(project_id, number, activate)
        except LoadError as error:
            before, text = self.number(project_id), str(error)

            def take_back(connection: Connection) -> None:
                versions.activate(connection, project_id, before)
                versions.fail(connection, project_id, number, text)

            await self._database.write_async(take_back)
            _log.error("Version %d of project %s was activated but cannot be loaded: %s", number, project_id, error)

    async def _swap(self, project_id: str, number: int, activate: Callable[[str], Awaitable[None]]) -> None:
        for left in reversed(range(_LOADS)):
            try:
                await self.runner.swap(project_id, number, activate)
            except WorkerDied as error:
                if not left:
                    raise LoadError(str(error)) from error
                _log.warning("Version %d of project %s is loaded again: %s", number, project_id, error)
            else:
                return

    def _serve(self, project_id: str, number: int, name: str) -> None:
        self._numbers[project_id], self._names[project_id] = number, name
        _log.info("Project %s is served by version %s", project_id, name)
