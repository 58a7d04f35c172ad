"""[web process] Queues of predict requests: who goes next, what shares a call, what is tried again.

Nobody waits in the hope of company: while the workers are busy requests collect, and when one is free it takes as
many tasks as fit. Interactive requests go first and alone; large requests are cut into chunks.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, Protocol

from ..backend.answers import Answer, Group, Problem
from ..errors import PredictError, Unavailable, WorkerDied
from ..settings import Settings
from .runner import Call, Runner


class Observer(Protocol):
    """Who counts what happens."""

    def predicted(self, tasks: int, requests: int, seconds: float) -> None:
        """One call of predict() was made."""

    def problem(self, project_id: str, problem: Problem) -> None:
        """A task got no prediction."""


@dataclass(eq=False)
class _Chunk:
    """A part of a request, small enough for one call."""

    project_id: str
    label_config: str | None
    params: bytes
    tasks: list[bytes]
    interactive: bool
    result: asyncio.Future[tuple[list[bytes], list[Problem], Answer]]
    retried: bool = False

    def fits(self, other: _Chunk) -> bool:
        """Whether both may share a call."""
        return (
            not other.interactive
            and not other.retried
            and self.project_id == other.project_id
            and self.label_config == other.label_config
            and self.params == other.params
        )


@dataclass
class Predictions:
    """The encoded items for the tasks of one request, in order; name and number of their version."""

    results: list[bytes]
    version: str
    number: int
    problems: list[Problem] = field(default_factory=list)


class Dispatcher:
    """Hands requests to a runner."""

    def __init__(self, runner: Runner, settings: Settings, observer: Observer) -> None:
        self._runner, self._settings, self._observer = runner, settings, observer
        self._interactive: deque[_Chunk] = deque()
        self._waiting: deque[_Chunk] = deque()
        self._running: set[asyncio.Task[None]] = set()
        self._mergeable = True
        runner.on_free = self._pump

    @property
    def queued_tasks(self) -> int:
        """Tasks that wait for a worker."""
        return sum(
            len(chunk.tasks)
            for queue in (self._interactive, self._waiting)
            for chunk in queue
            if not chunk.result.done()
        )

    async def predict(
        self, project_id: str, label_config: str | None, tasks: list[bytes], params: bytes, *, interactive: bool
    ) -> Predictions:
        """Predict for the tasks of one request.

        Args:
            project_id: the project.
            label_config: its labeling config as sent with the request.
            tasks: tasks as JSON.
            params: as JSON, `context` included.
            interactive: whether an annotator waits for it with the mouse in hand.

        Raises:
            PredictError: a task of an interactive request, or of any in strict mode, failed.
            LoadError: the author's class cannot be loaded.
            Unavailable: no answer in time, or the worker died twice.
        """
        loop = asyncio.get_running_loop()
        size = self._settings.max_batch_size
        chunks = [
            _Chunk(project_id, label_config, params, tasks[start : start + size], interactive, loop.create_future())
            for start in range(0, len(tasks), size)
        ]
        (self._interactive if interactive else self._waiting).extend(chunks)
        self._pump()
        every = asyncio.gather(*(chunk.result for chunk in chunks))
        every.add_done_callback(_look_at)
        try:
            parts = await asyncio.wait_for(every, self._settings.predict_timeout)
        except asyncio.TimeoutError:
            raise Unavailable(
                f"No prediction after {self._settings.predict_timeout:g} s for {len(tasks)} tasks of project "
                f"{project_id}. Ask for fewer tasks at once, or make predict() faster."
            ) from None
        finally:
            for chunk in chunks:  # what has not started is not worth starting any more
                chunk.result.cancel()
            self._drop_given_up()
        outcome = Predictions([], parts[-1][2].version, parts[-1][2].number)
        for results, problems, _ in parts:
            outcome.results += results
            outcome.problems += problems
        for problem in outcome.problems:
            self._observer.problem(project_id, problem)
        if outcome.problems and (interactive or self._settings.strict):
            first = outcome.problems[0]
            raise PredictError(f"Task {first.task or '(no id)'}: {first.message}")
        return outcome

    def _pump(self) -> None:
        while self._runner.has_room():
            chunks = self._next()
            if not chunks:
                return
            first, groups = chunks[0], [Group(chunk.tasks) for chunk in chunks]
            running = self._runner.submit(Call(first.project_id, first.label_config, groups, first.params))
            task = asyncio.get_running_loop().create_task(self._run(chunks, running))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    def _next(self) -> list[_Chunk]:
        """The chunks of the next call."""
        self._drop_given_up()
        for queue in (self._interactive, self._waiting):
            if not queue:
                continue
            first = queue.popleft()
            if first.interactive or first.retried or not self._mergeable:
                return [first]
            return [first, *self._company(first)]
        return []

    def _drop_given_up(self) -> None:
        """Let go of requests that nobody waits for any more, also while no worker is there."""
        for queue in (self._interactive, self._waiting):
            while queue and queue[0].result.done():
                queue.popleft()

    def _company(self, first: _Chunk) -> list[_Chunk]:
        room = self._settings.max_batch_size - len(first.tasks)
        company: list[_Chunk] = []
        kept: deque[_Chunk] = deque()
        while self._waiting and room > 0:
            chunk = self._waiting.popleft()
            if chunk.result.done():
                continue
            if first.fits(chunk) and len(chunk.tasks) <= room:
                company.append(chunk)
                room -= len(chunk.tasks)
            else:
                kept.append(chunk)
        self._waiting.extendleft(reversed(kept))
        return company

    async def _run(self, chunks: list[_Chunk], running: Coroutine[Any, Any, tuple[Answer, float]]) -> None:
        try:
            answer, seconds = await running
        except WorkerDied as error:
            self._again(chunks, error)
        except Exception as error:  # noqa: BLE001 - every requester must hear of it
            for chunk in chunks:
                if not chunk.result.done():
                    chunk.result.set_exception(error)
        else:
            self._observer.predicted(sum(len(chunk.tasks) for chunk in chunks), len(chunks), seconds)
            self._deliver(chunks, answer)

    def _deliver(self, chunks: list[_Chunk], answer: Answer) -> None:
        self._mergeable = self._mergeable and answer.mergeable
        for index, chunk in enumerate(chunks):
            if not chunk.result.done():
                problems = [problem for problem in answer.problems if problem.group == index]
                chunk.result.set_result((answer.results[index], problems, answer))

    def _again(self, chunks: list[_Chunk], error: WorkerDied) -> None:
        """Each request of a call whose worker died gets one more try, alone, so that the guilty one is found."""
        for chunk in reversed(chunks):
            if chunk.result.done():
                continue
            if chunk.retried:
                chunk.result.set_exception(error)
                continue
            chunk.retried = True
            (self._interactive if chunk.interactive else self._waiting).appendleft(chunk)
        self._pump()


def _look_at(done: asyncio.Future[Any]) -> None:
    """Take note of how it ended, so that nothing is logged about a request that was given up."""
    if not done.cancelled():
        done.exception()
