"""[web process] One predict worker as the pool sees it: its state, what it was asked, and how it is doing."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections import OrderedDict
from typing import Any, Protocol

import msgspec

from ..errors import LoadError, SourceError, WorkerDied
from ..processes import children, messages
from ..processes.messages import Broken, Configure, Description, Predict, Ready, Stop
from ..settings import Settings
from .runner import Listener
from .states import SERVING, WorkerState, transition

_WEIGHT = 0.3
"""How much the last call counts for what a call is expected to take."""


class WorkerEvents(Protocol):
    """Who is told what happens to workers."""

    def imported(self, worker: Process) -> None:
        """It has imported the author's code; `description` says what is in it."""

    def broken(self, worker: Process, message: Broken) -> None:
        """It could not import the author's code, and ends."""

    def call_ended(self, worker: Process) -> None:
        """It can take another call."""

    def lost(self, worker: Process) -> None:
        """It has ended, or is about to be."""


class _Running:
    """A call that the worker is at, or will be at next."""

    __slots__ = ("began", "listener", "requests")

    def __init__(self, listener: Listener, requests: int) -> None:
        self.listener, self.requests = listener, requests
        self.restart()

    def restart(self) -> None:
        """Its time begins now."""
        self.began = time.monotonic()

    def hold(self) -> None:
        """What it waits for does not count: an instance is being constructed."""
        self.began = math.inf


class Process:
    """One worker process."""

    def __init__(self, name: str, slot: int, settings: Settings, events: WorkerEvents) -> None:
        """Prepare; `start` starts it.

        Args:
            name: for logs.
            slot: its place among the workers, which decides on its device.
            settings: of this server.
            events: told what happens.
        """
        self.name, self.slot = name, slot
        self._settings, self._events = settings, events
        self.state = WorkerState.STARTING
        self.description: Description | None = None
        self.failure: Exception | None = None
        """Why it could not be loaded."""
        self.end_reason = ""
        """Why we ended it."""
        self.limit = 1
        """Calls it runs at once."""
        self.served = 0
        """Requests it has answered."""
        self.seconds = 0.0
        """What a call takes of late."""
        self.loaded: OrderedDict[tuple[str, str | None], None] = OrderedDict()
        """Projects with their labeling configs that it has instances for, the latest last."""
        self._child: children.Child | None = None
        self._calls: dict[int, _Running] = {}
        self._asked: dict[int, asyncio.Future[Any]] = {}
        self._settled = asyncio.Event()
        self._lost = asyncio.Event()

    # --- its life --------------------------------------------------------------------------------------

    async def start(self, environment: dict[str, str], configure: Configure) -> None:
        """Start the process; it loads the author's code and says how that went."""
        module = "label_studio_ml.predict.worker"
        self._child = await children.start(module, environment, self._received, self._connection_lost)
        self._child.send(messages.encode(configure))

    def become(self, state: WorkerState) -> None:
        """Go into another state; raises IllegalTransition when it cannot follow."""
        self.state = transition(self.state, state)

    @property
    def serves(self) -> bool:
        """Whether it answers calls."""
        return self.state in SERVING

    @property
    def is_lost(self) -> bool:
        """Whether its process has ended."""
        return self.state is WorkerState.LOST

    @property
    def pid(self) -> int | None:
        """Number of its process."""
        return self._child.pid if self._child is not None else None

    @property
    def memory(self) -> int:
        """Bytes of memory that it takes up; 0 when it is not there."""
        import psutil  # only where somebody asks

        try:
            return int(psutil.Process(self.pid).memory_info().rss) if self.pid else 0
        except psutil.Error:
            return 0

    async def until_loaded(self) -> None:
        """Wait until it may be given calls, or never will.

        Raises:
            LoadError: the author's class cannot be loaded.
            SourceError: there is none.
            WorkerDied: it ended meanwhile.
        """
        await self._settled.wait()
        if self.failure is not None:
            raise self.failure

    def finish_loading(self) -> None:
        """What is to be there from the start is there: it may be given calls."""
        if self.state is WorkerState.LOADING:
            self.become(WorkerState.READY)
        self._settled.set()

    def fail_loading(self, error: Exception) -> None:
        """It will never be given calls."""
        if self._settled.is_set():
            return
        self.failure = error
        if self.state in (WorkerState.STARTING, WorkerState.LOADING):
            self.become(WorkerState.BROKEN)
        self._settled.set()

    def retire(self) -> None:
        """Give it nothing more. One that is being ended, or has been, stays what it is."""
        if WorkerState.RETIRING is not self.state and self.state not in (WorkerState.STUCK, WorkerState.LOST):
            self.become(WorkerState.RETIRING)

    def end_as_stuck(self, reason: str) -> None:
        """End it because a call took too long."""
        self.become(WorkerState.STUCK)
        self.end_reason = reason
        self.kill()

    def kill(self) -> None:
        """End it now."""
        if self._child is not None:
            self._child.kill()

    async def end(self, timeout: float) -> None:
        """Have it finish what it has, and end it after `timeout` seconds whatever it does."""
        self.retire()
        if self._child is None:
            return
        self._child.send(messages.encode(Stop()))
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._lost.wait(), timeout)
        self._child.kill()
        await self._child.wait(5.0)

    def kill_if_exited(self) -> None:
        """End what it has forked, which holds its socket, when it has ended itself."""
        if self._child is not None and not self.is_lost and self._child.exited:
            self._child.kill()

    async def reap(self) -> str:
        """How it ended; after its connection was lost."""
        assert self._child is not None  # noqa: S101 - it was started, or it could not be lost
        return await self._child.ended()

    def fail_calls(self, how: str) -> None:
        """It has ended: tell everybody who waits for it."""
        running, self._calls = list(self._calls.values()), {}
        stuck = bool(self.end_reason)
        for call in running:
            call.listener.failed(WorkerDied(self.end_reason or how, alone=len(running) == 1, stuck=stuck))
        for future in list(self._asked.values()):
            if not future.done():
                future.set_exception(WorkerDied(how))

    # --- what it is asked ------------------------------------------------------------------------------

    @property
    def calls(self) -> int:
        """Calls it is at, or will be at next."""
        return len(self._calls)

    @property
    def is_busy(self) -> bool:
        """Whether anybody waits for it."""
        return bool(self._calls or self._asked)

    @property
    def is_overdue(self) -> bool:
        """Whether the author's predict() is at a call for longer than it may be."""
        if self._child is None or self.state in (WorkerState.STUCK, WorkerState.LOST) or self._child.exited:
            return False
        oldest = min((running.began for running in self._calls.values()), default=math.inf)
        return time.monotonic() - oldest > self._settings.predict_timeout

    def predict(self, call: Predict, listener: Listener) -> None:
        """Send a call."""
        self._calls[call.id] = _Running(listener, len(call.sizes))
        key = (call.project_id, call.label_config)
        self.loaded[key] = None
        self.loaded.move_to_end(key)
        if len(self.loaded) > self._settings.max_loaded_models:
            self.loaded.popitem(last=False)
        self._send(call)

    async def warm(self, project_id: str, label_config: str | None, version: int) -> str:
        """Have it load an instance; the name of the version.

        Raises:
            LoadError: it cannot be loaded.
            WorkerDied: it ended meanwhile.
        """
        reply: messages.Warmed = await self._ask(messages.Warm(project_id, label_config, version))
        return reply.version

    async def store(self, project_id: str, predictions: list[dict[str, Any]]) -> str:
        """Have it store predictions in Label Studio; what was wrong with that.

        Raises:
            WorkerDied: it ended meanwhile.
        """
        reply: messages.Stored = await self._ask(messages.Store(project_id, predictions))
        return reply.error

    def _ask(self, message: messages.Warm | messages.Store) -> asyncio.Future[Any]:
        """Send a message; the future brings the reply, or WorkerDied."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        if self._child is None or self.is_lost:
            future.set_exception(WorkerDied())
            return future
        self._asked[message.id] = future
        future.add_done_callback(lambda _: self._asked.pop(message.id, None))
        self._send(message)
        return future

    def _send(self, message: msgspec.Struct) -> None:
        if self._child is not None:  # one that is lost is told so by `fail_calls`
            self._child.send(messages.encode(message))

    # --- what it says ----------------------------------------------------------------------------------

    def _received(self, frame: bytes) -> None:
        message = messages.from_worker(frame)
        if isinstance(message, messages.Answered):
            running = self._end_call(message.id)
            self.seconds += _WEIGHT * (message.seconds - self.seconds)
            self.served += running.requests
            running.listener.answered(message.answer, message.seconds)
            self._events.call_ended(self)
        elif isinstance(message, messages.Streamed):
            self._calls[message.id].listener.streamed(message.answer)
        elif isinstance(message, messages.Loading):
            if waiting := self._calls.get(message.id):
                waiting.restart() if message.over else waiting.hold()
        elif isinstance(message, messages.NotLoaded):
            self._refused(message.id, LoadError(message.error))
        elif isinstance(message, Ready):
            self._imported(message.description)
        elif isinstance(message, Broken):
            self.fail_loading((SourceError if message.usage else LoadError)(message.error))
            self._events.broken(self, message)
        elif (future := self._asked.get(message.id)) and not future.done():
            future.set_result(message)

    def _refused(self, number: int, error: LoadError) -> None:
        if number in self._calls:
            self._end_call(number).listener.failed(error)
            self._events.call_ended(self)
        elif (future := self._asked.get(number)) and not future.done():
            future.set_exception(error)

    def _imported(self, description: Description) -> None:
        if self.state is not WorkerState.STARTING:  # it is not wanted any more
            return
        self.description = description
        self.limit = self._settings.max_concurrent if description.concurrent else self._settings.threads
        self.become(WorkerState.LOADING)
        self._events.imported(self)

    def _end_call(self, number: int) -> _Running:
        """A call is over. One that was sent ahead begins only now."""
        running = self._calls.pop(number)
        if self.state is WorkerState.ALONE:
            self.become(WorkerState.READY)
        if self.limit == 1:
            for waiting in self._calls.values():
                waiting.restart()
        return running

    def _connection_lost(self) -> None:
        self.become(WorkerState.LOST)
        self._lost.set()
        self._events.lost(self)
