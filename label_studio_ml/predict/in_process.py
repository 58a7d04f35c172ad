"""[any process] A runner without processes: the model runs on threads of the calling process.

For `test_client()` (authors' tests patch methods of their class), for classes that cannot be imported by path,
and for debugging.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ..author.host import ModelHost
from ..errors import LoadError
from ..processes.messages import Answer, Predict
from ..settings import Settings
from .runner import Listener, ModelStatus, Room


class InProcess:
    """See `Runner`."""

    def __init__(self, host: ModelHost, settings: Settings, active_version: Callable[[str], int]) -> None:
        self._host = host
        self._active_version = active_version
        description = host.describe()
        self._capacity = settings.max_concurrent if description.concurrent else settings.threads
        self._executor = ThreadPoolExecutor(self._capacity, thread_name_prefix="predict")
        self._calls: set[asyncio.Task[None]] = set()
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

    def retry(self) -> None:
        """See `Runner`."""

    def failing(self, error: str) -> None:
        """See `Runner`."""

    def keep_free(self, wanted: bool) -> None:
        """See `Runner`."""

    @property
    def pids(self) -> list[int]:
        """See `Runner`."""
        return []

    @property
    def memory(self) -> dict[str, int]:
        """See `Runner`."""
        return {}

    def has_room(self, room: Room) -> bool:
        """See `Runner`."""
        return room != "ahead" and len(self._calls) < self._capacity

    def submit(self, call: Predict, listener: Listener, room: Room) -> None:  # noqa: ARG002 - no call ends the process
        """See `Runner`."""
        task = asyncio.get_running_loop().create_task(self._run(call, listener))
        self._calls.add(task)

        def done(_task: asyncio.Task[None]) -> None:
            self._calls.discard(task)
            self.on_free()

        task.add_done_callback(done)

    async def _run(self, call: Predict, listener: Listener) -> None:
        started = time.perf_counter()
        loop = asyncio.get_running_loop()

        def streamed(answer: Answer) -> None:
            loop.call_soon_threadsafe(listener.streamed, answer)

        try:
            answer = await loop.run_in_executor(self._executor, self._host.predict, call, streamed)
        except Exception as error:  # noqa: BLE001 - whatever it is, the request must hear of it
            listener.failed(error)
        else:
            listener.answered(answer, time.perf_counter() - started)

    async def warm(self, project_id: str, label_config: str | None) -> str:
        """See `Runner`."""
        return await self._load(project_id, label_config, self._active_version(project_id))

    async def swap(self, project_id: str, version: int, activate: Callable[[str], Awaitable[None]]) -> None:
        """See `Runner`."""
        await activate(await self._load(project_id, None, version))

    async def store(self, project_id: str, predictions: list[dict[str, Any]]) -> None:
        """See `Runner`."""
        await asyncio.to_thread(self._host.store, project_id, predictions)

    async def _load(self, project_id: str, label_config: str | None, version: int) -> str:
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._executor, self._host.warm, project_id, label_config, version)
        except LoadError:
            raise
        except Exception as error:
            raise LoadError(str(error)) from error
