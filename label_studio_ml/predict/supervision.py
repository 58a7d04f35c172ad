"""[web process] Workers are started, made ready, reaped when they have ended, and replaced."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

from ..errors import LoadError, WorkerDied
from ..processes.messages import Broken
from ..settings import Settings
from .background import Background
from .backoff import Backoff
from .launcher import Launcher
from .process import Process
from .status import StatusBoard
from .suspension import Suspension
from .workers import Workers

_FIRST_DELAY, _LONGEST_DELAY = 0.1, 30.0
"""Seconds until a worker that could not be loaded again and again is replaced."""

_RETIRE_TIMEOUT = 60.0
"""Seconds that a worker has to end, on top of what a call may take."""

_log = logging.getLogger(__name__)


class Supervisor:
    """Hears, as `WorkerEvents`, what happens to workers, and keeps them as many as there should be."""

    def __init__(
        self,
        launcher: Launcher,
        workers: Workers,
        status: StatusBoard,
        suspension: Suspension,
        background: Background,
        settings: Settings,
        active_version: Callable[[str], int],
        on_restart: Callable[[], None],
        preloaded: Sequence[tuple[str, str | None]],
    ) -> None:
        """Prepare; nothing is started yet.

        Args:
            launcher: starts processes.
            workers: those there are.
            status: of the model.
            suspension: of a model that no worker survives.
            background: runs what goes on beside requests.
            settings: of this server.
            active_version: tells the number of the version that serves a project.
            on_restart: called when a worker has to be replaced.
            preloaded: projects with their labeling configs that every worker loads before it is given calls.
        """
        self._launcher, self._workers, self._status = launcher, workers, status
        self._suspension, self._background, self._preloaded = suspension, background, preloaded
        self._retire_timeout = settings.predict_timeout + _RETIRE_TIMEOUT
        self._active_version, self._on_restart = active_version, on_restart
        self._backoff = Backoff(_FIRST_DELAY, _LONGEST_DELAY, at_once=True)
        self._died_loading = 0
        self._stopping = False

    async def start_all(self) -> None:
        """Start the workers, unless there are some; they load in the background."""
        async with self._workers.changing:
            for slot in range(0 if self._workers.current else self._launcher.count):
                self._workers.add(await self._launcher.start(slot, self))

    async def start_fresh(self, slot: int) -> Process:
        """Start a worker that is to take over a place."""
        return await self._launcher.start(slot, self)

    async def warm_preloaded(self, worker: Process) -> None:
        """Have a worker load what is to be there from the start."""
        for project_id, label_config in self._preloaded:
            await worker.warm(project_id, label_config, self._active_version(project_id))

    def retire(self, worker: Process) -> None:
        """Have a worker finish what it has, and end it."""
        if not worker.is_lost:  # else it is being reaped
            self._workers.retire(worker)
            self._background.start(worker.end(self._retire_timeout))

    def retry(self) -> None:
        """Replace those that could not be loaded now."""
        self._backoff.cut_short()

    async def stop(self, timeout: float) -> None:
        """End every worker: in order if it does so within `timeout` seconds, else at once."""
        self._stopping = True
        await asyncio.gather(*(worker.end(timeout) for worker in self._workers.everyone))

    def kill(self) -> None:
        """End every worker now."""
        self._stopping = True
        for worker in self._workers.everyone:
            worker.kill()

    # --- what happens to workers -----------------------------------------------------------------------

    def imported(self, worker: Process) -> None:
        """It has imported the author's code: have it construct what is to be there from the start."""
        self._background.start(self._make_ready(worker))

    def broken(self, worker: Process, message: Broken) -> None:
        """It could not import the author's code."""
        if worker not in self._workers:
            return
        # At the start whoever started us says it; later only the log does.
        level = logging.DEBUG if self._status.current.description is None else logging.ERROR
        _log.log(level, "%s", f"{message.error}\n{message.detail}".rstrip())
        self._failed(worker, message.error, usage=message.usage)

    def call_ended(self, worker: Process) -> None:  # noqa: ARG002 - whichever it is
        """It can take another call."""
        self._suspension.answered()
        self._workers.tell_room()

    def lost(self, worker: Process) -> None:
        """It has ended, or is about to be."""
        self._background.start(self._reap(worker))

    async def _make_ready(self, worker: Process) -> None:
        ours = worker in self._workers  # or else to be, after a swap: it must not know of another version
        if ours:
            try:
                await self.warm_preloaded(worker)
            except WorkerDied:  # `_reap` says so
                return
            except LoadError as error:
                worker.fail_loading(error)
                self._failed(worker, str(error))
                return
        worker.finish_loading()
        if ours and worker in self._workers and worker.serves:
            self._backoff.reset()
            self._died_loading = 0
            if not self._suspension.active:
                self._status.ready(worker.description)
            self._workers.tell_room()

    async def _reap(self, worker: Process) -> None:
        how = await worker.reap()
        said_why = worker.failure is not None
        worker.fail_loading(WorkerDied(f"The process loading the model {how}."))
        self._workers.forget(worker)
        ours = worker in self._workers and not self._stopping
        if ours:
            if not said_why:
                _log.error("%s (pid %s) %s", worker.name.capitalize(), worker.pid, worker.end_reason or how)
            self._on_restart()
            if isinstance(worker.failure, WorkerDied) and not self._workers.others_serve(worker):
                self._died_loading += 1
                if self._died_loading > 1:  # the first time may have been an accident
                    self._failed(worker, str(worker.failure))
        worker.fail_calls(f"The process running the model {how}.")
        if ours:
            await self.replace(worker)

    async def replace(self, worker: Process) -> None:
        """Start another worker for one that has ended; after a pause, if it is not the first in a row."""
        await self._backoff.pause(self._backoff.next())
        if worker in self._workers and not self._stopping:
            fresh = await self.start_fresh(worker.slot)
            if worker in self._workers:
                self._workers.replace(worker, fresh)
            else:  # they were exchanged meanwhile
                self.retire(fresh)

    def _failed(self, worker: Process, error: str, *, usage: bool = False) -> None:
        """A worker cannot be loaded. As long as others answer, so does the model."""
        if not self._workers.others_serve(worker):
            self._status.failed(error, usage=usage)
            self._workers.tell_room()
