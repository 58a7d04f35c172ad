"""What went wrong lately, for `/health`: tasks without a prediction, failed trainings, events not stored."""

from __future__ import annotations

import time
from collections import deque

from .. import logs
from ..processes.messages import Problem
from ..store.jobs import Job, JobState
from ..wire.replies import LastProblem, StoreHealth, known
from .metrics import Metrics

_KEPT = 20


class Problems:
    """The last problems of one server; its other parts tell of them."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._last: deque[LastProblem] = deque(maxlen=_KEPT)
        self._store = StoreHealth("ok")

    @property
    def last(self) -> list[LastProblem]:
        """The last ones, oldest first."""
        return list(self._last)

    @property
    def store(self) -> StoreHealth:
        """Whether the last event could be stored."""
        return self._store

    def predicted(self, tasks: int, requests: int, seconds: float) -> None:
        """One call of predict() was made."""
        self._metrics.predicted(tasks, requests, seconds)

    def problem(self, project_id: str, problem: Problem) -> None:
        """A task got no prediction."""
        self._metrics.problem(problem)
        self.remember(project_id, problem.message, problem.task, problem.reason, problem.control or None)

    def job_ended(self, job: Job, state: JobState, error: str) -> None:
        """A training is over."""
        self._metrics.jobs.labels(state.value).inc()
        if state is JobState.FAILED:
            self.remember(job.project_id, f"Training failed: {error}")

    def event_stored(self) -> None:
        """An event is on disk."""
        self._metrics.events.inc()
        self._store = StoreHealth("ok")

    def store_failed(self, error: str) -> None:
        """An event could not be stored."""
        self._store = StoreHealth("failed", error)

    def remember(
        self, project_id: str, message: str, task: str = "", reason: str | None = None, control: str | None = None
    ) -> None:
        """Keep a problem for a while."""
        when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        self._last.append(LastProblem(when, project_id, task, logs.redact(message), known(reason), known(control)))

    def forget(self, project_id: str) -> None:
        """The project was deleted."""
        kept = [problem for problem in self._last if problem.project != project_id]
        self._last = deque(kept, maxlen=_KEPT)
