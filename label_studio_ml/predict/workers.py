"""[web process] The workers of one server, and which of them takes a call."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

from ..processes.messages import Predict
from .process import Process
from .runner import Listener, Room
from .states import WorkerState

_QUICK = 0.005
"""Seconds of a call that are short enough to send the next one ahead: a click waits for that one, too."""


class Workers:
    """Those that are given calls, by their places, and those that finish what they have."""

    def __init__(self) -> None:
        self._current: list[Process] = []
        self._retiring: set[Process] = set()
        self._on_room: Callable[[], None] = lambda: None
        self.changing = asyncio.Lock()
        """Held while several are started, or exchanged."""
        self.used_at = time.monotonic()
        """When somebody last needed the model."""

    def __contains__(self, worker: Process) -> bool:
        """Whether it is one of those that are given calls."""
        return worker in self._current

    @property
    def current(self) -> Sequence[Process]:
        """Those that are given calls, or will be once they are loaded."""
        return self._current

    @property
    def everyone(self) -> list[Process]:
        """All, with those that finish what they have."""
        return [*self._current, *self._retiring]

    @property
    def serving(self) -> Process | None:
        """One that answers, if there is one."""
        return next((worker for worker in self._current if worker.serves), None)

    def others_serve(self, worker: Process) -> bool:
        """Whether there are some that answer, although this one does not."""
        return any(other.serves for other in self._current if other is not worker)

    # --- who is there ----------------------------------------------------------------------------------

    def add(self, worker: Process) -> None:
        """One more."""
        self._current.append(worker)

    def exchange(self, old: Sequence[Process], fresh: Sequence[Process]) -> None:
        """Fresh ones take the places of old ones."""
        kept = [worker for worker in self._current if worker not in old]
        self._current = sorted([*kept, *fresh], key=lambda worker: worker.slot)

    def replace(self, ended: Process, fresh: Process) -> None:
        """A fresh one takes the place of one that has ended."""
        self._current[self._current.index(ended)] = fresh

    def retire(self, worker: Process) -> None:
        """It finishes what it has."""
        worker.retire()
        self._retiring.add(worker)

    def forget(self, worker: Process) -> None:
        """One that retired has ended."""
        self._retiring.discard(worker)

    # --- calls -----------------------------------------------------------------------------------------

    def subscribe(self, on_room: Callable[[], None]) -> None:
        """Have `on_room` called whenever there may be room for a call again."""
        self._on_room = on_room

    def tell_room(self) -> None:
        """There may be room for a call again."""
        self._on_room()

    def touch(self) -> None:
        """Somebody needs the model."""
        self.used_at = time.monotonic()

    def free(self, room: Room) -> Process | None:
        """The worker with the least to do that can take such a call."""
        best, least = None, 0
        for worker in self._current:
            calls = worker.calls
            if best is not None and calls >= least:
                continue
            if worker.state is WorkerState.READY:
                if room == "now":
                    fits = calls < worker.limit
                elif room == "alone":
                    fits = calls == 0
                else:
                    fits = worker.limit == 1 and calls == 1 and worker.served > 0 and worker.seconds < _QUICK
            else:
                fits = worker.state is WorkerState.RESERVED and room == "alone" and calls == 0
            if fits:
                best, least = worker, calls
        return best

    def submit(self, worker: Process, call: Predict, listener: Listener, room: Room) -> None:
        """Give a call to a worker that `free` found."""
        self.touch()
        if room == "alone":
            worker.become(WorkerState.ALONE)
            self.release()
        worker.predict(call, listener)

    def reserve(self) -> None:
        """Give one worker nothing until it has nothing to do; one at a time, so that the others go on."""
        if any(worker.state in (WorkerState.RESERVED, WorkerState.ALONE) for worker in self._current):
            return
        ready = [worker for worker in self._current if worker.state is WorkerState.READY]
        if ready:
            min(ready, key=lambda worker: worker.calls).become(WorkerState.RESERVED)

    def release(self) -> None:
        """Nobody needs a worker alone any more."""
        for worker in self._current:
            if worker.state is WorkerState.RESERVED:
                worker.become(WorkerState.READY)
