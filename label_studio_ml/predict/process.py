"""[web process] One predict worker process as the pool sees it: what it was asked, and how it is doing."""

from __future__ import annotations

import asyncio
import math
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

from ..errors import LoadError, WorkerDied
from ..processes import children, messages
from ..processes.messages import Description, Predict
from .runner import Listener

_WEIGHT = 0.3
"""How much the last call counts for what a call is expected to take."""


@dataclass(eq=False)
class _Running:
    """A call that the worker is at, or will be at next."""

    listener: Listener
    began: float
    requests: int


@dataclass(eq=False)
class Process:
    """One worker process.

    `slot`: its place among the workers, which decides on its device; `most_loaded`: instances it keeps; `limit`:
    calls it runs at once; `usable`: may be given calls; `served`: requests it has answered; `loaded`: projects with
    their labeling configs, the latest last; `alone`: its call must not get company; `stuck`: why it was ended;
    `seconds`: what a call takes of late.
    """

    name: str
    slot: int
    most_loaded: int
    limit: int = 1
    child: children.Child | None = None
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    description: Description | None = None
    broken: Exception | None = None
    usable: bool = False
    lost: asyncio.Event = field(default_factory=asyncio.Event)
    calls: dict[int, _Running] = field(default_factory=dict)
    asked: dict[int, asyncio.Future[Any]] = field(default_factory=dict)
    served: int = 0
    loaded: OrderedDict[tuple[str, str | None], None] = field(default_factory=OrderedDict)
    alone: bool = False
    retiring: bool = False
    stuck: str = ""
    seconds: float = 0.0

    @property
    def memory(self) -> int:
        """Bytes of memory that it takes up; 0 when it is not there."""
        import psutil  # only where somebody asks

        try:
            return int(psutil.Process(self.child.pid).memory_info().rss) if self.child else 0
        except psutil.Error:
            return 0

    def predict(self, call: Predict, listener: Listener) -> None:
        """Send a call."""
        self.calls[call.id] = _Running(listener, time.monotonic(), len(call.sizes))
        key = (call.project_id, call.label_config)
        self.loaded[key] = None
        self.loaded.move_to_end(key)
        if len(self.loaded) > self.most_loaded:
            self.loaded.popitem(last=False)
        self._send(call)

    def ask(self, message: messages.Warm | messages.Store) -> asyncio.Future[Any]:
        """Send a message; the future brings the reply, or WorkerDied."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        if self.child is None or self.lost.is_set():
            future.set_exception(WorkerDied())
            return future
        self.asked[message.id] = future
        future.add_done_callback(lambda _: self.asked.pop(message.id, None))
        self._send(message)
        return future

    def received(self, message: messages.FromWorker) -> bool:
        """Pass on what the worker says; True when a call has ended."""
        if isinstance(message, messages.Answered):
            running = self._ended(message.id)
            self.seconds += _WEIGHT * (message.seconds - self.seconds)
            self.served += running.requests
            running.listener.answered(message.answer, message.seconds)
            return True
        if isinstance(message, messages.Streamed):
            self.calls[message.id].listener.streamed(message.answer)
        elif isinstance(message, messages.Loading):
            if running_now := self.calls.get(message.id):
                running_now.began = time.monotonic() if message.over else math.inf
        elif isinstance(message, messages.Refused):
            if message.id in self.calls:
                self._ended(message.id).listener.failed(LoadError(message.error))
                return True
            self._reply(message.id, LoadError(message.error))
        elif isinstance(message, messages.Warmed | messages.Stored):
            self._reply(message.id, message)
        return False

    def overdue(self, timeout: float) -> bool:
        """Whether the author's predict() is at a call for longer than `timeout` seconds."""
        oldest = min((running.began for running in self.calls.values()), default=math.inf)
        return time.monotonic() - oldest > timeout

    def died(self, how: str) -> None:
        """It has ended: tell everybody who waits for it."""
        running, self.calls = list(self.calls.values()), {}
        for one in running:
            one.listener.failed(WorkerDied(self.stuck or how, alone=len(running) == 1, stuck=bool(self.stuck)))
        for future in list(self.asked.values()):
            if not future.done():
                future.set_exception(WorkerDied(how))

    def _send(self, message: messages.ToWorker) -> None:
        if self.child is not None:  # one that is lost is told so by `died`
            self.child.send(messages.encode(message))

    def _ended(self, number: int) -> _Running:
        """A call is over. One that was sent ahead begins only now."""
        running = self.calls.pop(number)
        self.alone = False
        if self.limit == 1:
            for waiting in self.calls.values():
                waiting.began = time.monotonic()
        return running

    def _reply(self, number: int, reply: Any) -> None:
        future = self.asked.get(number)
        if future is None or future.done():
            return
        if isinstance(reply, Exception):
            future.set_exception(reply)
        else:
            future.set_result(reply)
