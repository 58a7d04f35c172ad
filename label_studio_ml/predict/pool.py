"""[web process] Predict workers: started, given calls, watched, replaced when they die, swapped for a new version.

A new version gets new workers, because authors keep weights in module globals that only a fresh process rebuilds.
They load it beside the old ones, take over, and the old ones finish what they have. Workers that have grown too
large go the same way, and all of them when the author's code has changed.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any

from ..errors import LabelStudioError, LoadError, SourceError, WorkerDied
from ..processes import children, messages
from ..processes.messages import Broken, Configure, Predict, Ready, Source, Stop
from ..settings import Settings
from .process import Process
from .runner import Listener, Room
from .status import ModelStatus, StatusBoard

_FIRST_DELAY, _LONGEST_DELAY = 0.1, 30.0
_FIRST_REFUSAL = 1.0
_RETIRE_TIMEOUT = 60.0
_ROUND = 0.5
"""Seconds between two looks at how the workers are doing."""

_RECYCLE_PAUSE = 30.0
"""Seconds until a worker is replaced after all, when its replacement did not load."""

_QUICK = 0.005
"""Seconds of a call that are short enough to send the next one ahead: a click waits for that one, too."""

_log = logging.getLogger(__name__)


class Pool:
    """The workers of one server. `active` says which version serves each project."""

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
        self._status = StatusBoard()
        self._on_room: Callable[[], None] = lambda: None
        self._preloaded = preloaded
        self._source, self._settings, self._forwarded = source, settings, forwarded
        self._active_version, self._on_restart = active_version, on_restart
        self._devices = [device for device in settings.devices.replace(",", " ").split() if device]
        self._workers: list[Process] = []
        self._retired: set[Process] = set()
        self._reserved: Process | None = None
        self._names = itertools.count(1)
        self._chores: set[asyncio.Task[None]] = set()
        self._failures = self._refusals = self._died_loading = 0
        self._stopping = False
        self._swapping = asyncio.Lock()
        self._woken = asyncio.Event()
        self._used_at = time.monotonic()
        self._recycle_at = 0.0
        self._starting: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start the workers; they load in the background."""
        await self._start_all()
        self._chore(self._watch())

    async def _start_all(self) -> None:
        async with self._swapping:
            for slot in range(0 if self._workers else self._count):
                self._workers.append(await self._spawn(slot))

    async def stop(self, timeout: float) -> None:
        """End every worker: in order if it does so within `timeout` seconds, else at once."""
        self._stopping = True
        for chore in list(self._chores):
            chore.cancel()
        everyone = [*self._workers, *self._retired]
        await asyncio.gather(*(self._end(worker, timeout) for worker in everyone))

    def kill(self) -> None:
        """End every worker now."""
        self._stopping = True
        for worker in [*self._workers, *self._retired]:
            if worker.child is not None:
                worker.child.kill()

    @property
    def status(self) -> ModelStatus:
        """How the author's class is doing."""
        return self._status.current

    def subscribe(self, on_room: Callable[[], None]) -> None:
        """Have `on_room` called whenever there may be room for a call again."""
        self._on_room = on_room

    async def settled(self, after: ModelStatus | None = None) -> ModelStatus:
        """Wait until it is known whether the class can be used; with `after`, until that is known anew."""
        return await self._status.settled(after)

    def retry(self) -> None:
        """Try again now to load a class that failed to."""
        self._woken.set()

    def wake(self) -> None:
        """Somebody needs the model now: load it if it was unloaded."""
        self._used_at = time.monotonic()
        if self.status.state == "unloaded":
            self._status.loading()
            self._starting = self._chore(self._start_all())

    def suspend(self, error: str) -> None:
        """Every task ends its worker: refuse calls for a while, and say so."""
        if self.status.state != "failed":
            delay = min(_FIRST_REFUSAL * 2**self._refusals, _LONGEST_DELAY)
            self._refusals += 1
            _log.error("The model is not asked for %g s: %s", delay, error)
            self._failed(f"The model does not survive being asked. {error}")
            self._chore(self._try_again_after(delay))

    @property
    def pids(self) -> list[int]:
        """Process ids of the workers."""
        return [worker.child.pid for worker in self._workers if worker.child is not None]

    @property
    def memory(self) -> dict[str, int]:
        """Bytes of memory that each worker takes up, by its place."""
        return {str(worker.slot): worker.memory for worker in self._workers}

    # --- calls -----------------------------------------------------------------------------------------

    def has_room(self, room: Room) -> bool:
        """Whether a call could be submitted. A class that failed to load refuses calls, which is quick."""
        return self.status.state == "failed" or self._free(room) is not None

    def reserve(self, wanted: bool) -> None:
        """Give one worker nothing new, so that there will be room `alone`; or not any more."""
        if not wanted:
            self._reserved = None
        elif self._reserved is None or not self._reserved.usable or self._reserved not in self._workers:
            usable = [worker for worker in self._workers if worker.usable]
            self._reserved = min(usable, key=lambda worker: len(worker.calls), default=None)

    def submit(self, call: Predict, listener: Listener, room: Room) -> None:
        """Send a call to the worker with the least to do."""
        self._used_at = time.monotonic()
        worker = self._free(room)
        if self.status.state == "failed" or worker is None:
            asyncio.get_running_loop().call_soon(listener.failed, LoadError(self.status.error))
            return
        if room == "alone":
            worker.alone, self._reserved = True, None
        worker.predict(call, listener)

    def _free(self, room: Room) -> Process | None:
        """The worker with the least to do that can take such a call."""
        best, least = None, 0
        for worker in self._workers:
            calls = len(worker.calls)
            if not worker.usable or worker.alone or (best is not None and calls >= least):
                continue
            if room == "alone":
                fits = calls == 0
            elif worker is self._reserved:
                fits = False
            elif room == "now":
                fits = calls < worker.limit
            else:
                fits = worker.limit == 1 and calls == 1 and worker.served > 0 and worker.seconds < _QUICK
            if fits:
                best, least = worker, calls
        return best

    async def warm(self, project_id: str, label_config: str | None) -> str:
        """Load the instance of a project's active version and return the version's name."""
        self.wake()
        if self._starting is not None:
            await asyncio.shield(self._starting)
        worker = self._workers[0]
        await self._loaded(worker)
        return await self._warm(worker, project_id, label_config, self._active_version(project_id))

    async def store(self, project_id: str, predictions: list[dict[str, Any]]) -> None:
        """Have Label Studio store predictions."""
        self.wake()
        worker = next((worker for worker in self._workers if worker.usable), None)
        if worker is None:
            raise WorkerDied("There is no process that could store them.")
        reply = await worker.ask(messages.Store(project_id, predictions))
        if reply.error:
            raise LabelStudioError(reply.error)

    # --- new workers for old ones ------------------------------------------------------------------------

    async def swap(self, project_id: str, version: int, activate: Callable[[str], Awaitable[None]]) -> None:
        """Load a version into new workers, activate it, and let them take over."""
        async with self._swapping:
            name = ""

            async def warm(worker: Process) -> None:
                nonlocal name
                name = await self._warm(worker, project_id, None, version)

            async with self._fresh(range(self._count), warm) as fresh:
                await activate(name)
                self._exchange(fresh)

    async def reload(self) -> None:
        """Let new workers import the author's code as it is now, and take over.

        Raises:
            LoadError: it cannot be imported; the old ones stay.
        """
        async with self._swapping, self._fresh(range(self._count), self._warm_preloaded) as fresh:
            self._exchange(fresh)

    async def _recycle(self, old: Process, why: str) -> None:
        """Replace one worker that has grown or served long enough."""
        async with self._swapping:
            if old not in self._workers or not old.usable:
                return

            async def warm(worker: Process) -> None:
                for project_id, label_config in list(old.loaded):
                    await self._warm(worker, project_id, label_config, self._active_version(project_id))

            try:
                async with self._fresh([old.slot], warm) as fresh:
                    if old in self._workers:
                        _log.info("%s is replaced: %s", old.name.capitalize(), why)
                        self._exchange(fresh, [old])
            except (LoadError, WorkerDied) as error:
                self._recycle_at = time.monotonic() + _RECYCLE_PAUSE
                _log.warning("%s stays although %s: %s", old.name.capitalize(), why, error)

    @contextlib.asynccontextmanager
    async def _fresh(self, slots: Sequence[int], warm: Callable[[Process], Awaitable[None]]) -> Any:
        """Workers that are loaded and warm; ended unless they have become ours inside.

        Raises:
            LoadError: the author's code cannot be imported, or the class not constructed.
            WorkerDied: one of them ended meanwhile.
        """
        fresh: list[Process] = []
        try:
            for slot in slots:
                fresh.append(await self._spawn(slot))  # noqa: PERF401 - those started so far must be known
            for worker in fresh:
                await self._loaded(worker)
                await warm(worker)
            yield fresh
        except SourceError as error:
            raise LoadError(str(error)) from error
        finally:
            for worker in fresh:
                if worker not in self._workers and not worker.retiring:
                    worker.retiring = True
                    if worker.child is not None:
                        worker.child.kill()

    def _exchange(self, fresh: list[Process], old: list[Process] | None = None) -> None:
        """Let fresh workers take over from old ones, by default from all."""
        old = list(self._workers) if old is None else old
        self._workers = sorted(
            [*(worker for worker in self._workers if worker not in old), *fresh], key=lambda worker: worker.slot
        )
        for worker in old:
            self._retire(worker)
        self._refusals = 0
        self._is_ready(fresh[0])
        for worker in fresh:
            if worker.lost.is_set():  # it died before it was one of ours to replace
                self._chore(self._replace(worker))
        self._on_room()

    # --- workers ---------------------------------------------------------------------------------------

    @property
    def _count(self) -> int:
        return max(self._settings.workers, len(self._devices))

    async def _spawn(self, slot: int) -> Process:
        worker = Process(f"worker {next(self._names)}", slot, self._settings.max_loaded_models)
        environment = {"CUDA_VISIBLE_DEVICES": self._devices[slot % len(self._devices)]} if self._devices else {}
        worker.child = await children.start(
            "label_studio_ml.predict.worker",
            environment,
            lambda frame: self._received(worker, frame),
            lambda: self._lost(worker),
        )
        worker.child.send(messages.encode(Configure(worker.name, self._source, self._forwarded)))
        return worker

    async def _loaded(self, worker: Process) -> None:
        await worker.ready.wait()
        if worker.broken is not None:
            raise worker.broken

    async def _warm(self, worker: Process, project_id: str, label_config: str | None, version: int) -> str:
        reply = await worker.ask(messages.Warm(project_id, label_config, version))
        name: str = reply.version
        return name

    async def _warm_preloaded(self, worker: Process) -> None:
        for project_id, label_config in self._preloaded:
            await self._warm(worker, project_id, label_config, self._active_version(project_id))

    def _received(self, worker: Process, frame: bytes) -> None:
        message = messages.from_worker(frame)
        if isinstance(message, Ready):
            worker.description = message.description
            worker.limit = (
                self._settings.max_concurrent if message.description.concurrent else self._settings.threads
            )
            self._chore(self._make_ready(worker))
        elif isinstance(message, Broken):
            worker.broken = (SourceError if message.usage else LoadError)(message.error)
            if worker in self._workers:
                # At the start whoever started us says it; later only the log does.
                level = logging.DEBUG if self.status.description is None else logging.ERROR
                _log.log(level, "%s", f"{message.error}\n{message.detail}".rstrip())
                if not self._others_serve(worker):
                    self._failed(message.error, usage=message.usage)
            worker.ready.set()
        elif worker.received(message):
            self._refusals = 0
            self._on_room()

    async def _make_ready(self, worker: Process) -> None:
        """Its code is imported: have it construct what is to be there from the start, then give it calls."""
        ours = worker in self._workers  # or else to be, after a swap: it must not know of another version
        if ours:
            try:
                await self._warm_preloaded(worker)
            except WorkerDied:  # `_bury` says so
                return
            except LoadError as error:
                worker.broken = error
                worker.ready.set()
                if not self._others_serve(worker):
                    self._failed(str(error))
                return
        worker.ready.set()
        worker.usable = not worker.lost.is_set()
        if ours and worker in self._workers:
            self._failures = self._died_loading = 0
            if not self._refusals or self.status.state != "failed":
                self._is_ready(worker)
            self._on_room()

    def _is_ready(self, worker: Process) -> None:
        self._status.ready(worker.description)

    def _failed(self, error: str, *, usage: bool = False) -> None:
        self._status.failed(error, usage=usage)
        self._on_room()

    async def _try_again_after(self, delay: float) -> None:
        self._woken.clear()
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._woken.wait(), delay)
        self._status.loading()
        if usable := [worker for worker in self._workers if worker.usable]:
            self._is_ready(usable[0])
        self._on_room()

    def _lost(self, worker: Process) -> None:
        worker.usable = False
        worker.lost.set()
        self._chore(self._bury(worker))

    async def _bury(self, worker: Process) -> None:
        assert worker.child is not None  # noqa: S101 - it was started, or it could not be lost
        how = await worker.child.ended()
        said_why = worker.broken is not None
        if not worker.ready.is_set():
            worker.broken = WorkerDied(f"The process loading the model {how}.")
            worker.ready.set()
        self._retired.discard(worker)
        ours = not worker.retiring and not self._stopping and worker in self._workers
        if ours:
            if not said_why:
                _log.error("%s (pid %d) %s", worker.name.capitalize(), worker.child.pid, worker.stuck or how)
            self._on_restart()
            if isinstance(worker.broken, WorkerDied) and not self._others_serve(worker):
                self._died_loading += 1
                if self._died_loading > 1:  # the first time may have been an accident
                    self._failed(str(worker.broken))
        worker.died(f"The process running the model {how}.")
        if ours:
            await self._replace(worker)

    def _others_serve(self, worker: Process) -> bool:
        """Whether there are workers that answer, although this one does not."""
        return any(other.usable for other in self._workers if other is not worker)

    async def _replace(self, worker: Process) -> None:
        delay = min(_FIRST_DELAY * 2**self._failures, _LONGEST_DELAY) if self._failures else 0.0
        self._failures += 1
        self._woken.clear()
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._woken.wait(), delay)
        if worker in self._workers and not self._stopping:
            fresh = await self._spawn(worker.slot)
            if worker in self._workers:
                self._workers[self._workers.index(worker)] = fresh
            else:  # they were swapped meanwhile
                self._retire(fresh)

    def _retire(self, worker: Process) -> None:
        worker.retiring = True
        self._retired.add(worker)
        self._chore(self._end(worker, self._settings.predict_timeout + _RETIRE_TIMEOUT))

    async def _end(self, worker: Process, timeout: float) -> None:
        if worker.child is None:
            return
        worker.retiring = True
        worker.child.send(messages.encode(Stop()))
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(worker.lost.wait(), timeout)
        worker.child.kill()
        await worker.child.wait(5.0)

    # --- how they are doing ------------------------------------------------------------------------------

    async def _watch(self) -> None:
        """End what is stuck, replace what has grown, unload what nobody uses; for ever."""
        while True:
            await asyncio.sleep(_ROUND)
            try:
                for worker in [*self._workers, *self._retired]:
                    self._end_if_stuck(worker)
                    if worker.child is not None and not worker.lost.is_set() and worker.child.exited:
                        worker.child.kill()  # with what it has forked, which holds its socket
                if not self._swapping.locked() and time.monotonic() > self._recycle_at:
                    self._recycle_one()
                self._unload_if_idle()
            except Exception:  # noqa: BLE001 - one fault must not be the end of all watching
                _log.exception("Watching the workers failed unexpectedly; it goes on")

    def _end_if_stuck(self, worker: Process) -> None:
        timeout = self._settings.predict_timeout
        if worker.child is None or worker.stuck or worker.child.exited:
            return
        if worker.overdue(timeout):
            worker.usable = False
            worker.stuck = f"The call took more than {timeout:g} s (--predict-timeout) and was ended."
            worker.child.kill()

    def _recycle_one(self) -> None:
        most, size = self._settings.max_requests_per_worker, self._settings.max_worker_memory
        for worker in self._workers:
            if not worker.usable:
                continue
            why = ""
            if most and worker.served >= most:
                why = f"it has answered {worker.served} requests (--max-requests-per-worker)"
            elif size and (memory := worker.memory) > size:
                why = f"it takes up {memory >> 20} MB of memory (--max-worker-memory)"
            if why:
                self._chore(self._recycle(worker, why))
                return

    def _unload_if_idle(self) -> None:
        after = self._settings.unload_after
        busy = self._swapping.locked() or any(worker.calls or worker.asked for worker in self._workers)
        if busy or not after or self.status.state != "ready" or time.monotonic() - self._used_at < after:
            return
        _log.info("Nobody has asked for %g s (--unload-after): the model is unloaded until somebody does", after)
        self._status.unloaded()
        old, self._workers = self._workers, []
        for worker in old:
            self._retire(worker)

    def _chore(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._chores.add(task)
        task.add_done_callback(self._chores.discard)
        return task
