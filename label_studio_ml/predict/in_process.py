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
from .runner import Listener, Room
from .status import ModelStatus


class InProcess:
    """Runs calls on threads of this process."""

    def __init__(self, host: ModelHost, settings: Settings, active_version: Callable[[str], int]) -> None:
        self._host = host
        self._active_version = active_version
        description = host.describe()
        self._capacity = settings.max_concurrent if description.concurrent else settings.threads
        self._executor = ThreadPoolExecutor(self._capacity, thread_name_prefix="predict")
        self._calls: set[asyncio.Task[None]] = set()
        self._on_room: Callable[[], None] = lambda: None
        self._status = ModelStatus("ready", description=description)

    @property
    def status(self) -> ModelStatus:
        """How the author's class is doing: it was imported before."""
        return self._status

    @property
    def pids(self) -> list[int]:
        """Processes that run the model: none but this one."""
        return []

    @property
    def memory(self) -> dict[str, int]:
        """Bytes of memory of such processes."""
        return {}

    async def start(self) -> None:
        """There is nothing to start."""

    async def stop(self, timeout: float) -> None:  # noqa: ARG002 - a thread cannot be ended from outside
        """Wait for the calls that run."""
        await asyncio.to_thread(self._executor.shutdown)

    def kill(self) -> None:
        """Begin no further call."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    def subscribe(self, on_room: Callable[[], None]) -> None:
        """Have `on_room` called whenever a call has ended."""
        self._on_room = on_room

    async def settled(self, after: ModelStatus | None = None) -> ModelStatus:
        """The status, which does not change."""
        if after is self._status:
            await asyncio.get_running_loop().create_future()
        return self._status

    def wake(self) -> None:
        """It is loaded already."""

    def retry(self) -> None:
        """It never fails to load."""

    def suspend(self, error: str) -> None:
        """No call ends this process."""

    def reserve(self, wanted: bool) -> None:
        """No call has to be alone."""

    def has_room(self, room: Room) -> bool:
        """Whether a thread is idle."""
        return room != "ahead" and len(self._calls) < self._capacity

    def submit(self, call: Predict, listener: Listener, room: Room) -> None:  # noqa: ARG002 - no call ends the process
        """Run a call on a thread."""
        task = asyncio.get_running_loop().create_task(self._run(call, listener))
        self._calls.add(task)

        def done(_task: asyncio.Task[None]) -> None:
            self._calls.discard(task)
            self._on_room()

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
        """Load the instance of a project's active version and return the version's name."""
        return await self._load(project_id, label_config, self._active_version(project_id))

    async def swap(self, project_id: str, version: int, activate: Callable[[str], Awaitable[None]]) -> None:
        """Load a version and activate it; what runs keeps its own."""
        await activate(await self._load(project_id, None, version))

    async def store(self, project_id: str, predictions: list[dict[str, Any]]) -> None:
        """Have Label Studio store predictions."""
        await asyncio.to_thread(self._host.store, project_id, predictions)

    async def _load(self, project_id: str, label_config: str | None, version: int) -> str:
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._executor, self._host.warm, project_id, label_config, version)
        except LoadError:
            raise
        except Exception as error:
            raise LoadError(str(error)) from error
