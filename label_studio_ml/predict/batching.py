"""[web process] When a call of predict() is made, and with which tasks.

While the workers are busy requests collect, and when one is free it takes as many tasks as fit. `queue.py` says
who goes next, `retries.py` what is tried again, `delay.py` when it pays to wait a moment longer.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Literal, Protocol

from ..errors import WorkerDied
from ..processes.messages import Answer, Predict, Problem
from .delay import BatchDelay
from .queue import Queues
from .request import Piece, Request
from .retries import Retries
from .runner import Room, Runner

Step = Literal["interactive", "alone", "batch", "ahead", "wait"]
"""What is submitted next: a click, a task in quarantine, an ordinary batch, one sent ahead; or nothing for now."""


def next_step(queues: Queues, has_room: Callable[[Room], bool], delay: BatchDelay) -> Step:
    """Decide what is submitted next."""
    if queues.has_interactive and has_room("now"):
        return "interactive"
    if queues.has_quarantined and has_room("alone"):
        return "alone"
    if not queues.has_batch:
        return "wait"
    if has_room("now"):
        return "wait" if delay.active and delay.holds(queues.requests, queues.tasks) else "batch"
    return "ahead" if queues.has_full_batch and has_room("ahead") else "wait"


class Observer(Protocol):
    """Who counts what happens."""

    def predicted(self, tasks: int, requests: int, seconds: float) -> None:
        """One call of predict() was made."""

    def problem(self, project_id: str, problem: Problem) -> None:
        """A task got no prediction."""


class Batcher:
    """Hands the tasks of requests to a runner, in calls."""

    def __init__(
        self,
        runner: Runner,
        max_batch_size: int,
        observer: Observer,
        active_version: Callable[[str], int],
        waited: Callable[[float], None],
    ) -> None:
        """Begin with nothing, on the running event loop.

        Args:
            runner: makes the calls.
            max_batch_size: the most tasks in one call.
            observer: told of the calls.
            active_version: tells the number of the version that serves a project.
            waited: told how many seconds each request waited for its turn.
        """
        self._runner, self._observer = runner, observer
        self._active_version, self._waited = active_version, waited
        self._loop = asyncio.get_running_loop()  # asked once: before Python 3.12 that is a system call
        self._queues = Queues(max_batch_size)
        self._retries = Retries(self._queues, runner.suspend)
        self._delay = BatchDelay(max_batch_size)
        self._delayed: asyncio.TimerHandle | None = None
        self._mergeable = True  # requests may share a call
        self._reserved = self._scheduled = False
        runner.subscribe(self._pump)

    @property
    def queued_tasks(self) -> int:
        """Tasks that wait for a worker."""
        return self._queues.all_tasks

    def waiting(self, *, interactive: bool) -> int:
        """Tasks of interactive requests, or of the others, that have not been handed out yet."""
        return self._queues.interactive_tasks if interactive else self._queues.tasks

    def add(self, request: Request) -> None:
        """Have a request predicted."""
        self._queues.add(request)
        self._runner.wake()
        if not self._scheduled:  # not at once: those that came at the same moment may share a call
            self._scheduled = True
            self._loop.call_soon(self._pump)

    def remove(self, request: Request) -> None:
        """Begin nothing more of a request."""
        self._queues.remove(request)

    def stop(self) -> None:
        """End the timer."""
        if self._delayed is not None:
            self._delayed.cancel()

    # --- calls to be made ------------------------------------------------------------------------------

    def _pump(self) -> None:
        """Submit what there is room for."""
        self._scheduled = False
        queues = self._queues
        while queues:
            if queues.has_quarantined or self._reserved:
                self._reserved = queues.has_quarantined
                self._runner.reserve(self._reserved)
            step = next_step(queues, self._runner.has_room, self._delay)
            if step == "batch":
                self._submit(queues.take_batch(merge=self._mergeable), "now")
            elif step == "interactive":
                self._submit(queues.take_interactive(), "now")
            elif step == "alone":
                self._submit(queues.take_quarantined(), "alone")
            elif step == "ahead":
                self._submit(queues.take_batch(merge=False), "ahead")
            else:
                return

    def _submit(self, pieces: list[Piece], room: Room) -> None:
        now = time.monotonic()
        for piece in pieces:
            if not piece.start:
                self._waited(now - piece.request.since)
        first = pieces[0].request
        tasks = pieces[0].tasks if len(pieces) == 1 else [task for piece in pieces for task in piece.tasks]
        # Version and worker are chosen in one go: a swap in between must not part them.
        version = self._active_version(first.project_id)
        sizes = [len(piece) for piece in pieces]
        call = Predict(first.project_id, first.label_config, version, tasks, sizes, first.params)
        self._runner.submit(call, SubmittedCall(self, call, pieces), room)

    # --- calls that were made --------------------------------------------------------------------------

    def deliver(self, pieces: list[Piece], answer: Answer) -> None:
        """Hand the next results of a call to its requests."""
        self._mergeable = self._mergeable and answer.mergeable
        self._retries.answered()
        at = 0
        for piece in pieces:
            end = at + len(piece)
            problems = [one for one in answer.problems if at <= one.place < end] if answer.problems else ()
            piece.fill(answer.results[at:end], problems, (answer.version, answer.number))
            at = end

    def answered(self, call: Predict, pieces: list[Piece], answer: Answer, seconds: float) -> None:
        """A call is over, with its last results."""
        self._observer.predicted(len(call.tasks), len(call.sizes), seconds)
        self.deliver(pieces, answer)
        if self._mergeable and self._queues.has_batch:
            delay = self._delay.begin(seconds, len(call.sizes), self._queues.requests)
            if delay:
                self._delayed = self._loop.call_later(delay, self._delay_over)

    def failed(self, pieces: list[Piece], error: Exception) -> None:
        """A call is over, without results for the rest of its tasks."""
        if isinstance(error, WorkerDied):
            self._retries.worker_died(pieces, error)
            self._pump()
            return
        for piece in pieces:
            if not piece.request.over:
                piece.request.requester.failed(piece.request, error)

    def _delay_over(self) -> None:
        self._delay.end(self._queues.requests)
        self._pump()


class SubmittedCall:
    """Hears what becomes of one call, as the runner's `Listener`, and passes it on with the tasks it is about."""

    __slots__ = ("_batcher", "_call", "_pieces")

    def __init__(self, batcher: Batcher, call: Predict, pieces: list[Piece]) -> None:
        self._batcher, self._call, self._pieces = batcher, call, pieces

    def streamed(self, answer: Answer) -> None:
        """Results of the next tasks have come, while the call goes on."""
        self._batcher.deliver(self._pieces, answer)

    def answered(self, answer: Answer, seconds: float) -> None:
        """The results of the rest have come; it took that long."""
        self._batcher.answered(self._call, self._pieces, answer, seconds)

    def failed(self, error: Exception) -> None:
        """Nothing more will come."""
        self._batcher.failed(self._pieces, error)
