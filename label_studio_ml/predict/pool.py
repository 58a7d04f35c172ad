"""[web process] Runs calls in worker processes: a `Runner` made of parts.

`workers.py` knows who takes a call, `supervision.py` starts and replaces, `swap.py` exchanges old workers for new
ones, `upkeep.py` looks after them, `suspension.py` spares a model that no worker survives.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from ..errors import LabelStudioError, LoadError, WorkerDied
from ..processes.messages import Predict, Source
from ..settings import Settings
from .background import Background
from .launcher import Launcher
from .runner import Listener, Room
from .status import ModelStatus, StatusBoard
from .supervision import Supervisor
from .suspension import Suspension
from .swap import Swaps
from .upkeep import Upkeep
from .workers import Workers


class Pool:
    """The workers of one server."""

    def __init__(
        self,
        source: Source,
        settings: Settings,
        forwarded: dict[str, Any],
        active_version: Callable[[str], int],
        on_restart: Callable[[], None],
        preloaded: Sequence[tuple[str, str | None]] = (),
    ) -> None:
        """Prepare; `start` starts.

        Args:
            source: what the workers load.
            settings: of this server.
            forwarded: the same settings as the workers get them.
            active_version: tells the number of the version that serves a project.
            on_restart: called when a worker has to be replaced.
            preloaded: projects with their labeling configs that every worker loads before it is given calls.
        """
        self._active_version = active_version
        self._status = status = StatusBoard()
        self._workers = workers = Workers()
        self._background = background = Background()
        self._suspension = suspension = Suspension(workers, status, background)
        launcher = Launcher(source, settings, forwarded)
        self._supervisor = supervisor = Supervisor(
            launcher, workers, status, suspension, background, settings, active_version, on_restart, preloaded
        )
        self._swaps = Swaps(launcher, workers, status, suspension, supervisor, background, active_version)
        self._upkeep = Upkeep(workers, status, supervisor, self._swaps, background, settings)
        self._starting: asyncio.Task[None] | None = None

    # --- its life --------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Start the workers; they load in the background."""
        await self._supervisor.start_all()
        self._background.start(self._upkeep.main_loop())

    async def stop(self, timeout: float) -> None:
        """End every worker: in order if it does so within `timeout` seconds, else at once."""
        self._background.cancel()
        await self._supervisor.stop(timeout)

    def kill(self) -> None:
        """End every worker now."""
        self._supervisor.kill()

    @property
    def status(self) -> ModelStatus:
        """How the author's class is doing."""
        return self._status.current

    async def settled(self, after: ModelStatus | None = None) -> ModelStatus:
        """Wait until it is known whether the class can be used; with `after`, until that is known anew."""
        return await self._status.settled(after)

    @property
    def pids(self) -> list[int]:
        """Process ids of the workers."""
        return [worker.pid for worker in self._workers.current if worker.pid is not None]

    @property
    def memory(self) -> dict[str, int]:
        """Bytes of memory that each worker takes up, by its place."""
        return {str(worker.slot): worker.memory for worker in self._workers.current}

    def wake(self) -> None:
        """Somebody needs the model now: load it if it was unloaded."""
        self._workers.touch()
        if self._status.current.state == "unloaded":
            self._status.loading()
            self._starting = self._background.start(self._supervisor.start_all())

    def retry(self) -> None:
        """Try again now to load a class that failed to, and to ask a model that is suspended."""
        self._supervisor.retry()
        self._suspension.cut_short()

    def suspend(self, error: str) -> None:
        """Every task ends its worker: refuse calls for a while, and say so."""
        self._suspension.begin(error)

    # --- calls -----------------------------------------------------------------------------------------

    def subscribe(self, on_room: Callable[[], None]) -> None:
        """Have `on_room` called whenever there may be room for a call again."""
        self._workers.subscribe(on_room)

    def has_room(self, room: Room) -> bool:
        """Whether a call could be submitted. A class that failed to load refuses calls, which is quick."""
        return self._status.current.state == "failed" or self._workers.free(room) is not None

    def reserve(self, wanted: bool) -> None:
        """Give one worker nothing new, so that there will be room `alone`; or not any more."""
        if wanted:
            self._workers.reserve()
        else:
            self._workers.release()

    def submit(self, call: Predict, listener: Listener, room: Room) -> None:
        """Send a call to the worker with the least to do."""
        status, worker = self._status.current, self._workers.free(room)
        if status.state == "failed" or worker is None:
            asyncio.get_running_loop().call_soon(listener.failed, LoadError(status.error))
            return
        self._workers.submit(worker, call, listener, room)

    async def store(self, project_id: str, predictions: list[dict[str, Any]]) -> None:
        """Have Label Studio store predictions.

        Raises:
            LabelStudioError: it does not; the message says why.
            WorkerDied: the process that was at it ended, or there is none.
        """
        self.wake()
        worker = self._workers.serving
        if worker is None:
            raise WorkerDied("There is no process that could store them.")
        if error := await worker.store(project_id, predictions):
            raise LabelStudioError(error)

    # --- versions --------------------------------------------------------------------------------------

    async def warm(self, project_id: str, label_config: str | None) -> str:
        """Load the instance of a project's active version and return the version's name.

        Raises:
            LoadError: it cannot be loaded.
            WorkerDied: the process that was loading it ended.
        """
        self.wake()
        if self._starting is not None:
            await asyncio.shield(self._starting)
        worker = self._workers.current[0]
        await worker.until_loaded()
        return await worker.warm(project_id, label_config, self._active_version(project_id))

    async def swap(self, project_id: str, version: int, activate: Callable[[str], Awaitable[None]]) -> None:
        """Load a version into new workers, activate it, and let them take over."""
        await self._swaps.swap(project_id, version, activate)

    async def reload(self) -> None:
        """Let new workers import the author's code as it is now, and take over."""
        await self._swaps.reload()
