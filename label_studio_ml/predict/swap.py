"""[web process] New workers load beside the old ones and take over, and the old ones finish what they have.

A new version gets new workers, because authors keep weights in module globals that only a fresh process rebuilds.
Changed code and workers that have grown too large go the same way.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from ..errors import LoadError, SourceError, WorkerDied
from .background import Background
from .launcher import Launcher
from .process import Process
from .status import StatusBoard
from .supervision import Supervisor
from .suspension import Suspension
from .workers import Workers

_log = logging.getLogger(__name__)


class Swaps:
    """Has fresh workers take over."""

    def __init__(
        self,
        launcher: Launcher,
        workers: Workers,
        status: StatusBoard,
        suspension: Suspension,
        supervisor: Supervisor,
        background: Background,
        active_version: Callable[[str], int],
    ) -> None:
        self._launcher, self._workers, self._status = launcher, workers, status
        self._suspension, self._supervisor, self._background = suspension, supervisor, background
        self._active_version = active_version

    async def swap(self, project_id: str, version: int, activate: Callable[[str], Awaitable[None]]) -> None:
        """Load a version into new workers, activate it, and let them take over.

        Raises:
            LoadError: it cannot be loaded; the old ones stay.
            WorkerDied: one of the new ones ended meanwhile; the old ones stay.
        """
        async with self._workers.changing:
            name = ""

            async def warm(worker: Process) -> None:
                nonlocal name
                name = await worker.warm(project_id, None, version)

            async with self._fresh(range(self._launcher.count), warm) as fresh:
                await activate(name)
                self._exchange(self._workers.current, fresh)

    async def reload(self) -> None:
        """Let new workers import the author's code as it is now, and take over.

        Raises:
            LoadError: it cannot be imported; the old ones stay.
            WorkerDied: one of the new ones ended meanwhile; the old ones stay.
        """
        places, warm = range(self._launcher.count), self._supervisor.warm_preloaded
        async with self._workers.changing, self._fresh(places, warm) as fresh:
            self._exchange(self._workers.current, fresh)

    async def recycle(self, old: Process, why: str) -> bool:
        """Replace one worker that has grown or served long enough; False when its replacement did not load."""
        async with self._workers.changing:
            if old not in self._workers or not old.serves:
                return True

            async def warm(worker: Process) -> None:
                for project_id, label_config in list(old.loaded):
                    await worker.warm(project_id, label_config, self._active_version(project_id))

            try:
                async with self._fresh([old.slot], warm) as fresh:
                    if old in self._workers:
                        _log.info("%s is replaced: %s", old.name.capitalize(), why)
                        self._exchange([old], fresh)
            except (LoadError, WorkerDied) as error:
                _log.warning("%s stays although %s: %s", old.name.capitalize(), why, error)
                return False
            return True

    @contextlib.asynccontextmanager
    async def _fresh(
        self, slots: Sequence[int], warm: Callable[[Process], Awaitable[None]]
    ) -> AsyncIterator[list[Process]]:
        """Workers that are loaded and warm; ended unless they have taken over inside.

        Raises:
            LoadError: the author's code cannot be imported, or the class not constructed.
            WorkerDied: one of them ended meanwhile.
        """
        fresh: list[Process] = []
        try:
            for slot in slots:
                fresh.append(await self._supervisor.start_fresh(slot))  # noqa: PERF401 - those started must be known
            for worker in fresh:
                await worker.until_loaded()
                await warm(worker)
            yield fresh
        except SourceError as error:
            raise LoadError(str(error)) from error
        finally:
            for worker in fresh:
                if worker not in self._workers:
                    worker.retire()
                    worker.kill()

    def _exchange(self, old: Sequence[Process], fresh: list[Process]) -> None:
        """Let fresh workers take over."""
        old = list(old)
        self._workers.exchange(old, fresh)
        for worker in old:
            self._supervisor.retire(worker)
        self._suspension.answered()
        self._status.ready(fresh[0].description)
        for worker in fresh:
            if worker.is_lost:  # it died before it was one of ours to replace
                self._background.start(self._supervisor.replace(worker))
        self._workers.tell_room()
