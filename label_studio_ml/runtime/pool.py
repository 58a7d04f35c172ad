"""[web process] Predict workers: started, watched, replaced when they die, swapped for a new version.

A new version gets new workers, because authors keep weights in module globals that only a fresh process rebuilds.
They load it beside the old ones, take over, and the old ones finish what they have.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from .. import channel
from ..backend.answers import ASYNC_CALLS, Answer, Broken, Configure, Ready, Stop
from ..backend.source import Source
from ..errors import LoadError, SourceError, WorkerDied
from ..settings import Settings
from . import messages
from .runner import Call, ModelStatus

_FIRST_DELAY, _LONGEST_DELAY = 0.1, 30.0
_RETIRE_TIMEOUT = 120.0
_log = logging.getLogger(__name__)


@dataclass(eq=False)
class _Worker:
    """One worker process and what it was asked."""

    name: str
    child: channel.Child | None = None
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    broken: Exception | None = None
    lost: asyncio.Event = field(default_factory=asyncio.Event)
    asked: dict[int, asyncio.Future[Any]] = field(default_factory=dict)
    predicting: int = 0
    retiring: bool = False


class Pool:
    """The workers of one server. `active` says which version serves each project."""

    def __init__(
        self,
        source: Source,
        settings: Settings,
        forwarded: dict[str, Any],
        active_version: Callable[[str], int],
        on_restart: Callable[[], None],
    ) -> None:
        """Prepare; `start` starts.

        Args:
            source: what the workers load.
            settings: of this server.
            forwarded: the same settings as the workers get them.
            active_version: tells the number of the version that serves a project.
            on_restart: called when a worker has to be replaced.
        """
        self.status = ModelStatus()
        self.on_free: Callable[[], None] = lambda: None
        self._source, self._settings, self._forwarded = source, settings, forwarded
        self._active_version, self._on_restart = active_version, on_restart
        self._workers: list[_Worker] = []
        self._retired: set[_Worker] = set()
        self._ids = itertools.count(1)
        self._names = itertools.count(1)
        self._chores: set[asyncio.Task[None]] = set()
        self._failures = 0
        self._stopping = False
        self._swapping = asyncio.Lock()
        self._hurried = asyncio.Event()
        self.changed = asyncio.Event()

    async def start(self) -> None:
        """Start the workers; they load in the background."""
        for _ in range(self._settings.workers):
            self._workers.append(await self._spawn())

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

    def hurry(self) -> None:
        """See `Runner`."""
        self._hurried.set()

    @property
    def pids(self) -> list[int]:
        """Process ids of the workers."""
        return [worker.child.pid for worker in self._workers if worker.child is not None]

    # --- as a Runner -----------------------------------------------------------------------------------

    def has_room(self) -> bool:
        """Whether a worker can take a call now. A class that failed to load refuses calls, which is quick."""
        return self._free() is not None or self.status.state == "failed"

    def submit(self, call: Call) -> Coroutine[Any, Any, tuple[Answer, float]]:
        """See `Runner`."""
        worker = self._free()
        if worker is None:
            return self._refuse()
        # Worker and version are chosen in one go: a swap in between must not part them.
        number = self._active_version(call.project_id)
        message = messages.Predict(
            next(self._ids), call.project_id, call.label_config, number, call.groups, call.params
        )
        worker.predicting += 1
        return self._run(worker, self._ask(worker, message))

    async def _refuse(self) -> tuple[Answer, float]:
        raise LoadError(self.status.error) if self.status.state == "failed" else WorkerDied()

    async def _run(self, worker: _Worker, reply_to_come: asyncio.Future[Any]) -> tuple[Answer, float]:
        try:
            reply = await reply_to_come
        finally:
            worker.predicting -= 1
            self.on_free()
        return reply.answer, reply.seconds

    async def warm(self, project_id: str, label_config: str | None) -> str:
        """See `Runner`."""
        worker = self._workers[0]
        await self._loaded(worker)
        return await self._warm(worker, project_id, label_config, self._active_version(project_id))

    async def swap(self, project_id: str, version: int, activate: Callable[[str], Awaitable[None]]) -> None:
        """See `Runner`."""
        async with self._swapping:
            fresh: list[_Worker] = []
            try:
                name = ""
                for _ in self._workers:
                    fresh.append(await self._spawn())  # noqa: PERF401 - those started so far must be known
                for worker in fresh:
                    await self._loaded(worker)
                    name = await self._warm(worker, project_id, None, version)
                await activate(name)
            except BaseException as error:  # also one of the store, or the end of the server: they must not stay
                for worker in fresh:
                    worker.retiring = True
                    if worker.child is not None:
                        worker.child.kill()
                if isinstance(error, SourceError):
                    raise LoadError(str(error)) from error
                raise
            old, self._workers = self._workers, fresh
            for worker in old:
                self._retire(worker)
            for worker in fresh:
                if worker.lost.is_set():  # it died before it was one of ours to replace
                    self._chore(self._replace(worker))
            self.on_free()

    # --- workers ---------------------------------------------------------------------------------------

    def _free(self) -> _Worker | None:
        description = self.status.description
        limit = ASYNC_CALLS if description and description.concurrent else self._settings.threads
        candidates = [
            worker
            for worker in self._workers
            if worker.ready.is_set()
            and worker.broken is None
            and not worker.lost.is_set()
            and worker.predicting < limit
        ]
        return min(candidates, key=lambda worker: worker.predicting, default=None)

    async def _spawn(self) -> _Worker:
        worker = _Worker(f"worker {next(self._names)}")
        worker.child = await channel.start(
            "label_studio_ml.runtime.worker",
            {},
            lambda frame: self._received(worker, frame),
            lambda: self._lost(worker),
        )
        worker.child.send(messages.encode(Configure(worker.name, self._source, self._forwarded)))
        return worker

    async def _loaded(self, worker: _Worker) -> None:
        await worker.ready.wait()
        if worker.broken is not None:
            raise worker.broken

    async def _warm(self, worker: _Worker, project_id: str, label_config: str | None, version: int) -> str:
        reply = await self._ask(worker, messages.Warm(next(self._ids), project_id, label_config, version))
        name: str = reply.version
        return name

    def _ask(self, worker: _Worker, message: messages.Predict | messages.Warm) -> asyncio.Future[Any]:
        """Send a message now; the future brings the reply."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        if worker.child is None or worker.lost.is_set():
            future.set_exception(WorkerDied())
            return future
        worker.asked[message.id] = future
        future.add_done_callback(lambda _: worker.asked.pop(message.id, None))
        worker.child.send(messages.encode(message))
        return future

    def _received(self, worker: _Worker, frame: bytes) -> None:
        message = messages.from_worker(frame)
        if isinstance(message, Ready):
            if worker in self._workers or self.status.description is None:
                self._failures = 0
                self.status = ModelStatus("ready", description=message.description)
            worker.ready.set()
            self.changed.set()
            self.on_free()
        elif isinstance(message, Broken):
            worker.broken = (SourceError if message.usage else LoadError)(message.error)
            if worker in self._workers:
                # At the start whoever started us says it; later only the log does.
                level = logging.DEBUG if self.status.description is None else logging.ERROR
                _log.log(level, "%s", f"{message.error}\n{message.detail}".rstrip())
                self._failed(message.error, usage=message.usage)
            worker.ready.set()
        else:
            future = worker.asked.get(message.id)
            if future is None or future.done():
                return
            if isinstance(message, messages.Refused):
                future.set_exception(LoadError(message.error))
            else:
                future.set_result(message)

    def _failed(self, error: str, *, usage: bool = False) -> None:
        self.status = ModelStatus("failed", error, usage, self.status.description)
        self.changed.set()
        self.on_free()

    def _lost(self, worker: _Worker) -> None:
        worker.lost.set()
        self._chore(self._bury(worker))

    async def _bury(self, worker: _Worker) -> None:
        assert worker.child is not None  # noqa: S101 - it was started, or it could not be lost
        how = await worker.child.ended()
        for future in list(worker.asked.values()):
            if not future.done():
                future.set_exception(WorkerDied(f"The process running the model {how}."))
        said_why = worker.broken is not None
        if not worker.ready.is_set():
            worker.broken = WorkerDied(f"The process loading the model {how}.")
            worker.ready.set()
        self._retired.discard(worker)
        if worker.retiring or self._stopping or worker not in self._workers:
            return
        if not said_why:
            _log.error("%s (pid %d) %s", worker.name.capitalize(), worker.child.pid, how)
        self._on_restart()
        if worker.broken is not None and self.status.state != "failed":
            self._failed(str(worker.broken))
        await self._replace(worker)

    async def _replace(self, worker: _Worker) -> None:
        delay = min(_FIRST_DELAY * 2**self._failures, _LONGEST_DELAY) if self._failures else 0.0
        self._failures += 1
        self._hurried.clear()
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._hurried.wait(), delay)
        if worker in self._workers and not self._stopping:
            fresh = await self._spawn()
            self._workers[self._workers.index(worker)] = fresh

    def _retire(self, worker: _Worker) -> None:
        worker.retiring = True
        self._retired.add(worker)
        self._chore(self._end(worker, _RETIRE_TIMEOUT))

    async def _end(self, worker: _Worker, timeout: float) -> None:
        if worker.child is None:
            return
        worker.retiring = True
        worker.child.send(messages.encode(Stop()))
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(worker.lost.wait(), timeout)
        worker.child.kill()
        await worker.child.wait(5.0)

    def _chore(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._chores.add(task)
        task.add_done_callback(self._chores.discard)
