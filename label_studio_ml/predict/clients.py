"""[web process] Predict requests as clients see them: asked, perhaps coalesced, answered in time or late.

`batching.py` has them predicted, `waiting.py` knows who waits, `late.py` keeps what was not ready in time.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from ..errors import PredictError, Unavailable
from ..processes.messages import Problem
from ..settings import Settings
from .batching import Batcher, Observer
from .late import Entry, Late
from .request import Identity, Predictions, Request
from .runner import Runner
from .waiting import Gone, Waiting

_COMPARED = 2**20
"""Bytes of a body up to which an identical one is looked for."""

_log = logging.getLogger(__name__)


class Clients:
    """Takes the requests of clients and answers them. Each is a `Requester` of the calls that are made for it."""

    def __init__(
        self,
        runner: Runner,
        settings: Settings,
        observer: Observer,
        active_version: Callable[[str], int],
        waited: Callable[[float], None] = lambda _seconds: None,
    ) -> None:
        """Begin with none, on the running event loop.

        Args:
            runner: makes the calls.
            settings: of this server.
            observer: told what happens.
            active_version: tells the number of the version that serves a project.
            waited: told how many seconds each request waited for its turn.
        """
        self._settings, self._observer, self._active_version = settings, observer, active_version
        self._batcher = Batcher(runner, settings.max_batch_size, observer, active_version, waited)
        self._waiting = Waiting(settings.predict_deadline, self._overdue, self._abandoned)
        self._late = Late(runner.store)
        self._same: dict[Identity, Request] = {}

    @property
    def queued_tasks(self) -> int:
        """Tasks that wait for a worker."""
        return self._batcher.queued_tasks

    async def stop(self) -> None:
        """Store what is ready of late predictions."""
        self._waiting.stop()
        self._batcher.stop()
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
            interactive: whether an annotator waits for it.
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
            late = self._late.find(version, project_id, label_config, params, tasks)
            if late:
                rest = [task for place, task in enumerate(tasks) if place not in late]
                request = Request(self, project_id, label_config, rest, params)
                return await self._join(late, request, gone)
        identity = None if body is None or len(body) > _COMPARED else (version, body)
        same = self._same.get(identity) if identity else None
        if same is None:
            same = Request(
                self, project_id, label_config, tasks, params, interactive=interactive, identity=identity
            )
            if identity:
                self._same[identity] = same
            self._batcher.add(same)
        return await self._waiting.wait(same, gone)

    def progressed(self, request: Request, start: int, items: list[bytes], problems: Sequence[Problem]) -> None:
        """Results for tasks of a request have come; when they were the last ones, its clients get them."""
        for problem in problems:
            self._observer.problem(request.project_id, problem)
        if request in self._late:
            self._late.filled(request, start, items)
        if request.left:
            return
        request.close()
        if request.problems and (request.interactive or self._settings.strict):
            first = request.problems[0]
            self._settle(request, PredictError(f"Task {first.task or '(no id)'}: {first.message}"))
        else:
            self._settle(request, request.predictions())

    def failed(self, request: Request, error: Exception) -> None:
        """Nothing more will come for a request."""
        self._batcher.remove(request)
        request.close()
        if request in self._late:
            _log.error("Late predictions of project %s failed: %s", request.project_id, error)
            self._late.given_up(request)
        self._settle(request, error)

    def _check_room(self, count: int, interactive: bool) -> None:
        waiting = self._batcher.waiting(interactive=interactive)
        if waiting + count > self._settings.max_queued_tasks:
            raise Unavailable(
                f"{waiting} tasks wait already, and no more than {self._settings.max_queued_tasks} may "
                "(--max-queued-tasks). Try again later, or with fewer tasks."
            )

    async def _join(self, late: dict[int, Entry], request: Request, gone: Gone | None) -> Predictions:
        """Wait for late tasks that are asked for again, and for the request that is made of the others."""
        entries = list(late.values())
        outcome = Predictions([], "", 0)
        with self._late.asked_again(entries):
            if request.tasks:
                self._batcher.add(request)
                outcome = await self._waiting.wait(request, gone)
            items = await self._late.collect(entries, self._waiting.seconds_left(request))
        again, rest = iter(items), iter(outcome.results)
        count = len(entries) + len(request.tasks)
        results = [next(again if place in late else rest) for place in range(count)]
        return Predictions(results, outcome.version, outcome.number, outcome.problems)

    def _overdue(self, request: Request) -> None:
        """Answer with what is ready. The rest is late; an annotator, or a strict client, gets an error instead."""
        seconds, count = self._settings.predict_deadline, len(request.tasks)
        if request.interactive or self._settings.strict:
            self.failed(
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
        self._late.adopt(request, self._active_version(request.project_id))
        self._settle(request, request.predictions())

    def _abandoned(self, request: Request) -> None:
        """Nobody waits any more: what has not started is not worth starting."""
        self._batcher.remove(request)
        request.close()
        self._forget(request)

    def _settle(self, request: Request, outcome: Predictions | Exception) -> None:
        """Tell whoever waits for a request."""
        self._forget(request)
        self._waiting.settle(request, outcome)

    def _forget(self, request: Request) -> None:
        """Whoever asks the same from now on asks anew."""
        if request.identity is not None and self._same.get(request.identity) is request:
            del self._same[request.identity]
