"""[web process] Predict requests: who shares a call, what is tried again, and what becomes of those that take long.

Nobody waits in the hope of company: while the workers are busy requests collect, and when one is free it takes as
many tasks as fit. `queues.py` says who goes next.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from ..errors import ClientGone, PredictError, Unavailable, WorkerDied
from ..processes.messages import Answer, Predict, Problem
from ..settings import Settings
from ..wire.requests import task_id
from ..wire.results import NOTHING
from .late import Entry, Late
from .queue import Queues
from .request import Flight, Piece, Predictions, Request
from .runner import Room, Runner

_GLANCE = 0.1
"""Seconds between two looks at the requests that wait."""

_COMPARED = 2**20
"""Bytes of a body up to which an identical one is looked for."""

_LIVES = 2
"""Times a single task may end a worker that had nothing else to do; the first may have been an accident."""

_GUILTY_IN_A_ROW = 3
"""Tasks that end their workers, with no other answer in between, before the model counts as failing."""

_LONG, _BREATH, _LONGEST_BREATH = 0.005, 0.1, 0.01
"""Seconds of a call from which a breather pays; its length, as a share of the call's; the most seconds it takes."""

_IN_VAIN = 20
"""Calls without a breather after one in which nobody came back."""

_SHOWN = 200
_log = logging.getLogger(__name__)

Gone = Callable[[], Awaitable[Any]]
"""Returns when the client has closed its connection."""


class Observer(Protocol):
    """Who counts what happens."""

    def predicted(self, tasks: int, requests: int, seconds: float) -> None:
        """One call of predict() was made."""

    def problem(self, project_id: str, problem: Problem) -> None:
        """A task got no prediction."""


class _Waiter:
    """A client that waits for a request."""

    __slots__ = ("future", "gone", "watch")

    def __init__(self, future: asyncio.Future[Predictions], gone: Gone | None) -> None:
        self.future, self.gone = future, gone
        self.watch: asyncio.Task[None] | None = None


class Dispatcher:
    """Hands requests to a runner."""

    def __init__(
        self,
        runner: Runner,
        settings: Settings,
        observer: Observer,
        active_version: Callable[[str], int],
        waited: Callable[[float], None] = lambda _seconds: None,
    ) -> None:
        """Begin with nothing.

        Args:
            runner: makes the calls.
            settings: of this server.
            observer: told what happens.
            active_version: tells the number of the version that serves a project.
            waited: told how many seconds each request waited for its turn.
        """
        self._runner, self._settings, self._observer = runner, settings, observer
        self._active_version, self._waited = active_version, waited
        self._queues = Queues(settings.max_batch_size)
        self._late = Late(runner.store)
        self._open: dict[Request, list[_Waiter]] = {}
        self._flights: dict[Flight, Request] = {}
        self._patrol: asyncio.TimerHandle | None = None
        self._mergeable = True
        self._guilty = 0
        self._keeping = self._pumping = False
        self._breather: asyncio.TimerHandle | None = None
        self._expected = self._waiting_before = self._skipped = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        runner.subscribe(self._pump)

    @property
    def queued_tasks(self) -> int:
        """Tasks that wait for a worker."""
        return self._queues.tasks + self._queues.interactive_tasks + sum(map(len, self._queues.suspects))

    async def stop(self) -> None:
        """Store what is ready of late predictions."""
        for timer in (self._patrol, self._breather):
            if timer is not None:
                timer.cancel()
        await self._late.stop()

    async def predict(
        self,
        project_id: str,
        label_config: str | None,
        tasks: list[bytes],
        params: bytes,
        *,
        interactive: bool,
        body: bytes | None = None,
        gone: Gone | None = None,
    ) -> Predictions:
        """Predict for the tasks of one request.

        Args:
            project_id: the project.
            label_config: its labeling config as sent with the request.
            tasks: tasks as JSON.
            params: as JSON, `context` included.
            interactive: whether an annotator waits for it with the mouse in hand.
            body: all of the request, by which another one is known that asks the very same.
            gone: how to find out that the client does not wait any more.

        Raises:
            PredictError: a task of an interactive request, or of any in strict mode, failed.
            LoadError: the author's class cannot be loaded.
            Unavailable: too much waits already, or no answer in time (interactive, or in strict mode).
            ClientGone: the client closed its connection.
        """
        self._check_room(len(tasks), interactive)
        version = self._active_version(project_id)
        if self._late and not interactive:
            known = self._late.find(version, project_id, label_config, params, tasks)
            if known:
                rest = [task for place, task in enumerate(tasks) if place not in known]
                request = Request(project_id, label_config, rest, params, interactive=False)
                return await self._join(request, known, len(tasks), gone)
        flight = None if body is None or len(body) > _COMPARED else (version, body)
        same = self._flights.get(flight) if flight else None
        if same is None:
            same = Request(project_id, label_config, tasks, params, interactive=interactive)
            if flight:
                same.flight = flight
                self._flights[flight] = same
        return await self._wait(same, gone)

    # --- clients ---------------------------------------------------------------------------------------

    def _check_room(self, count: int, interactive: bool) -> None:
        waiting = self._queues.interactive_tasks if interactive else self._queues.tasks
        if waiting + count > self._settings.max_queued_tasks:
            raise Unavailable(
                f"{waiting} tasks wait already, and no more than {self._settings.max_queued_tasks} may "
                "(--max-queued-tasks). Try again later, or with fewer tasks."
            )

    async def _wait(self, request: Request, gone: Gone | None) -> Predictions:
        """Begin with a request if that has not been done, and wait for its outcome."""
        loop = self._loop
        if loop is None:  # asked once: before Python 3.12 that is a system call
            loop = self._loop = asyncio.get_running_loop()
        waiter = _Waiter(loop.create_future(), gone)
        waiters = self._open.get(request)
        if waiters is None:
            self._open[request] = [waiter]
            self._queues.add(request)
            self._runner.wake()
            if not self._pumping:  # not at once: those that came at the same moment may share a call
                self._pumping = True
                loop.call_soon(self._pump)
            if self._patrol is None:
                self._patrol = loop.call_later(_GLANCE, self._look_around)
        else:
            waiters.append(waiter)
        try:
            return await waiter.future
        finally:
            if waiter.watch is not None:
                waiter.watch.cancel()
            if waiters := self._open.get(request):
                waiters.remove(waiter)
                if not waiters:
                    self._drop(request)

    async def _join(self, request: Request, known: dict[int, Entry], count: int, gone: Gone | None) -> Predictions:
        """Wait for the outcome of a request, and for late tasks that were asked for again with it."""
        entries = list(known.values())
        for entry in entries:
            entry.clients += 1
        try:
            outcome = Predictions([], "", 0)
            if request.tasks:
                outcome = await self._wait(request, gone)
            left = self._settings.predict_deadline - (time.monotonic() - request.since)
            replies = [asyncio.ensure_future(entry.reply()) for entry in entries]
            await asyncio.wait(replies, timeout=max(left, 0))
        finally:
            for entry in entries:
                entry.clients -= 1
        finished = [reply.done() and not reply.cancelled() for reply in replies]
        items = [reply.result() if done else NOTHING for reply, done in zip(replies, finished, strict=True)]
        for reply in replies:
            reply.cancel()
        self._late.delivered([entry for entry, done in zip(entries, finished, strict=True) if done])
        again, rest = iter(items), iter(outcome.results)
        outcome.results = [next(again if place in known else rest) for place in range(count)]
        return outcome

    def _look_around(self) -> None:
        """Which requests are overdue, and which clients have gone meanwhile?"""
        self._patrol = None
        now = time.monotonic()
        for request, waiters in list(self._open.items()):
            age = now - request.since
            if age < _GLANCE:
                break
            if age >= self._settings.predict_deadline:
                self._overdue(request)
                continue
            for waiter in waiters:
                if waiter.gone is not None and waiter.watch is None:
                    waiter.watch = asyncio.get_running_loop().create_task(_watch(waiter, waiter.gone))
        if self._open:
            self._patrol = asyncio.get_running_loop().call_later(_GLANCE, self._look_around)

    def _overdue(self, request: Request) -> None:
        seconds, count = self._settings.predict_deadline, len(request.tasks)
        if request.interactive or self._settings.strict:
            self._fail(
                request,
                Unavailable(
                    f"No prediction after {seconds:g} s (--predict-deadline) for {count} tasks of project "
                    f"{request.project_id}. Ask for fewer tasks at once, or make predict() faster."
                ),
            )
            return
        _log.warning(
            "%d of %d tasks of project %s were not ready after %g s (--predict-deadline). They are finished, and "
            "stored in Label Studio then.",
            request.left,
            count,
            request.project_id,
            seconds,
        )
        request.late = True
        self._late.adopt(request, self._active_version(request.project_id))
        self._settle(request, request.predictions())

    def _settle(self, request: Request, outcome: Predictions | Exception) -> None:
        """Tell whoever waits for a request; whoever asks the same now asks anew."""
        if request.flight is not None:
            self._flights.pop(request.flight, None)
            request.flight = None
        for waiter in self._open.pop(request, ()):
            if waiter.future.done():
                continue
            if isinstance(outcome, Exception):
                waiter.future.set_exception(outcome)
            else:
                waiter.future.set_result(outcome)

    def _drop(self, request: Request) -> None:
        """What has not started is not worth starting any more."""
        self._queues.remove(request)
        request.over = True
        self._settle(request, ClientGone())

    def _fail(self, request: Request, error: Exception) -> None:
        self._queues.remove(request)
        request.over = True
        if request.late:
            _log.error("Late predictions of project %s failed: %s", request.project_id, error)
            self._late.given_up(request)
        self._settle(request, error)

    # --- calls -----------------------------------------------------------------------------------------

    def _pump(self) -> None:
        """Submit what there is room for."""
        self._pumping = False
        queues, runner = self._queues, self._runner
        while queues:
            if self._keeping or queues.suspects:
                self._keeping = bool(queues.suspects)
                runner.reserve(self._keeping)
            room: Room = "now"
            if queues.has_interactive and runner.has_room("now"):
                pieces = queues.interactive()
            elif queues.suspects and runner.has_room("alone"):
                room, pieces = "alone", [queues.suspects.popleft()]
            elif runner.has_room("now"):
                if self._breather is not None and not self._is_gathered():
                    return
                pieces = queues.batch(merge=self._mergeable)
            elif queues.has_full_batch and runner.has_room("ahead"):
                room, pieces = "ahead", queues.batch(merge=False)
            else:
                return
            if not pieces:
                return
            self._submit(pieces, room)

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
        self._runner.submit(call, _Running(self, pieces), room)

    def _breathe(self, answered: int, seconds: float) -> None:
        """Those who have just been answered often ask again at once: let those who wait wait a moment for them.

        Without it, clients of a model whose calls take long fall into two halves that wait for each other.
        """
        queues = self._queues
        if seconds < _LONG or not queues.requests or self._breather is not None or not self._mergeable:
            return
        if self._skipped:
            self._skipped -= 1
            return
        self._waiting_before = queues.requests
        self._expected = queues.requests + answered
        loop = asyncio.get_running_loop()
        self._breather = loop.call_later(min(seconds * _BREATH, _LONGEST_BREATH), self._breathed)

    def _is_gathered(self) -> bool:
        return self._queues.requests >= self._expected or self._queues.tasks >= self._settings.max_batch_size

    def _breathed(self) -> None:
        self._breather = None
        if self._queues.requests == self._waiting_before:
            self._skipped = _IN_VAIN
        self._pump()

    def _deliver(self, pieces: list[Piece], answer: Answer) -> None:
        """Hand the next results of a call to its requests."""
        self._mergeable = self._mergeable and answer.mergeable
        self._guilty = 0
        problems = answer.problems
        at = 0
        for piece in pieces:
            items = answer.results[at : at + len(piece)]
            request, start = piece.request, piece.start
            piece.fill(items)
            if not request.over and items:
                if problems:
                    for problem in problems:
                        if at <= problem.place < at + len(items):
                            self._note(request, problem)
                request.version, request.number = answer.version, answer.number
                self._filled(request, start, items)
            at += len(items)

    def _note(self, request: Request, problem: Problem) -> None:
        request.problems.append(problem)
        self._observer.problem(request.project_id, problem)

    def _filled(self, request: Request, start: int, items: list[bytes]) -> None:
        if request.late:
            self._late.filled(request, start, items)
        if request.left:
            return
        request.over = True
        if request.problems and (request.interactive or self._settings.strict):
            first = request.problems[0]
            self._settle(request, PredictError(f"Task {first.task or '(no id)'}: {first.message}"))
        else:
            self._settle(request, request.predictions())

    def _died(self, pieces: list[Piece], error: WorkerDied) -> None:
        """A worker ended, or was stuck, in a call: find the guilty task and try the others again."""
        for piece in reversed(pieces):
            if piece.request.over or not len(piece):
                continue
            again = [piece]
            if error.alone and len(pieces) == 1:
                piece.deaths += 1
                if len(piece) > 1:
                    again = piece.halves()
                elif error.stuck or piece.deaths >= _LIVES:
                    self._blame(piece, error)
                    continue
            self._queues.suspects.extendleft(reversed(again))
        self._pump()

    def _blame(self, piece: Piece, error: WorkerDied) -> None:
        """A task gets no prediction because no worker survives it."""
        request, start = piece.request, piece.start
        identity = str(task_id(piece.tasks[0]) or "")[:_SHOWN]
        problem = Problem(0, identity, "predict", str(error), "timeout" if error.stuck else "crashed")
        _log.error("Task %s got no prediction: %s", identity or "(no id)", error)
        piece.fill([NOTHING])
        self._note(request, problem)
        self._filled(request, start, [NOTHING])
        self._guilty += 1
        if self._guilty >= _GUILTY_IN_A_ROW:
            self._runner.suspend(f"{self._guilty} tasks in a row, each alone, ended in the same way. {error}")


class _Running:
    """A call that was submitted. See `Listener`."""

    __slots__ = ("_dispatcher", "_pieces", "_requests", "_tasks")

    def __init__(self, dispatcher: Dispatcher, pieces: list[Piece]) -> None:
        self._dispatcher, self._pieces = dispatcher, pieces
        self._tasks, self._requests = sum(map(len, pieces)), len(pieces)

    def streamed(self, answer: Answer) -> None:
        self._dispatcher._deliver(self._pieces, answer)  # noqa: SLF001 - a part of it

    def answered(self, answer: Answer, seconds: float) -> None:
        self._dispatcher._observer.predicted(self._tasks, self._requests, seconds)  # noqa: SLF001
        self._dispatcher._deliver(self._pieces, answer)  # noqa: SLF001
        self._dispatcher._breathe(self._requests, seconds)  # noqa: SLF001

    def failed(self, error: Exception) -> None:
        if isinstance(error, WorkerDied):
            self._dispatcher._died(self._pieces, error)  # noqa: SLF001
            return
        for piece in self._pieces:
            if not piece.request.over:
                self._dispatcher._fail(piece.request, error)  # noqa: SLF001


async def _watch(waiter: _Waiter, gone: Gone) -> None:
    await gone()
    if not waiter.future.done():
        waiter.future.set_exception(ClientGone())
