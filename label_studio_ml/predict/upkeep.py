"""[web process] Ends workers that are stuck, replaces those that have grown, unloads those that nobody uses."""

from __future__ import annotations

import asyncio
import logging
import time

from ..settings import Settings
from .background import Background
from .process import Process
from .status import StatusBoard
from .supervision import Supervisor
from .swap import Swaps
from .workers import Workers

_ROUND = 0.5
"""Seconds between two looks at how the workers are doing."""

_RECYCLE_PAUSE = 30.0
"""Seconds until a worker is replaced after all, when its replacement did not load."""

_log = logging.getLogger(__name__)


class Upkeep:
    """Looks at the workers again and again."""

    def __init__(
        self,
        workers: Workers,
        status: StatusBoard,
        supervisor: Supervisor,
        swaps: Swaps,
        background: Background,
        settings: Settings,
    ) -> None:
        self._workers, self._status, self._supervisor, self._swaps = workers, status, supervisor, swaps
        self._background, self._settings = background, settings
        self._recycle_at = 0.0

    async def main_loop(self) -> None:
        """Look, for ever."""
        while True:
            await asyncio.sleep(_ROUND)
            try:
                self.look()
            except Exception:  # noqa: BLE001 - one fault must not be the end of all watching
                _log.exception("Watching the workers failed unexpectedly; it goes on")

    def look(self) -> None:
        """Look once, and do what is to be done."""
        for worker in self._workers.everyone:
            if worker.is_overdue:
                timeout = self._settings.predict_timeout
                worker.end_as_stuck(f"The call took more than {timeout:g} s (--predict-timeout) and was ended.")
            worker.kill_if_exited()
        if self._workers.changing.locked():
            return
        if time.monotonic() > self._recycle_at:
            self._recycle_one()
        self._unload_if_idle()

    def _recycle_one(self) -> None:
        for worker in self._workers.current:
            if worker.serves and (why := self._why_recycle(worker)):
                self._background.start(self._recycle(worker, why))
                return

    def _why_recycle(self, worker: Process) -> str:
        """Why a worker has to be replaced; empty if it has not."""
        most, size = self._settings.max_requests_per_worker, self._settings.max_worker_memory
        if most and worker.served >= most:
            return f"it has answered {worker.served} requests (--max-requests-per-worker)"
        if size and (memory := worker.memory) > size:
            return f"it takes up {memory >> 20} MB of memory (--max-worker-memory)"
        return ""

    async def _recycle(self, worker: Process, why: str) -> None:
        if not await self._swaps.recycle(worker, why):
            self._recycle_at = time.monotonic() + _RECYCLE_PAUSE

    def _unload_if_idle(self) -> None:
        after = self._settings.unload_after
        if not after or self._status.current.state != "ready" or time.monotonic() - self._workers.used_at < after:
            return
        if any(worker.is_busy for worker in self._workers.current):
            return
        _log.info("Nobody has asked for %g s (--unload-after): the model is unloaded until somebody does", after)
        self._status.unloaded()
        old = list(self._workers.current)
        self._workers.exchange(old, [])
        for worker in old:
            self._supervisor.retire(worker)
