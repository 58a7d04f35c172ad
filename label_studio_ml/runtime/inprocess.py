"""[any process] A runner without processes: the model runs on threads of the calling process.

For `test_client()` (authors' tests patch methods of their class), for classes that cannot be imported by path,
and for debugging.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec

from ..backend.answers import ASYNC_CALLS, Answer
from ..backend.host import ModelHost
from ..errors import LoadError
from .runner import Call, ModelStatus


class InProcess:
    """See `Runner`."""

    def __init__(self, host: ModelHost, threads: int, active_version: Callable[[str], int]) -> None:
        self._host = host
        self._active_version = active_version
        description = host.describe()
        self._capacity = ASYNC_CALLS if description.concurrent else threads
        self._executor = ThreadPoolExecutor(self._capacity, thread_name_prefix="predict")
        self._busy = 0
        self.status = ModelStatus("ready", description=description)
        self.on_free: Callable[[], None] = lambda: None
        self.changed = asyncio.Event()
        self.changed.set()

    async def start(self) -> None:
        """See `Runner`."""

    async def stop(self, timeout: float) -> None:  # noqa: ARG002 - a thread cannot be ended from outside
        """See `Runner`."""
        await asyncio.to_thread(self._executor.shutdown)

    def kill(self) -> None:
        """See `Runner`."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    def hurry(self) -> None:
        """See `Runner`."""

    @property
    def pids(self) -> list[int]:
        """See `Runner`."""
        return []

    def has_room(self) -> bool:
        """See `Runner`."""
        return self._busy < self._capacity

    def submit(self, call: Call) -> Coroutine[Any, Any, tuple[Answer, float]]:
        """See `Runner`."""
        self._busy += 1
        return self._run(call)

    async def _run(self, call: Call) -> tuple[Answer, float]:
        started = time.perf_counter()
        number = self._active_version(call.project_id)
        params = msgspec.json.decode(call.params)
        try:
            answer = await asyncio.get_running_loop().run_in_executor(
                self._executor, self._host.predict, call.project_id, call.label_config, number, call.groups, params
            )
        finally:
            self._busy -= 1
            self.on_free()
        return answer, time.perf_counter() - started

    async def warm(self, project_id: str, label_config: str | None) -> str:
        """See `Runner`."""
        return await self._load(project_id, label_config, self._active_version(project_id))

    async def swap(self, project_id: str, version: int, activate: Callable[[str], Awaitable[None]]) -> None:
        """See `Runner`."""
        await activate(await self._load(project_id, None, version))

    async def _load(self, project_id: str, label_config: str | None, version: int) -> str:
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._executor, self._host.warm, project_id, label_config, version)
        except LoadError:
            raise
        except Exception as error:
            raise LoadError(str(error)) from error
