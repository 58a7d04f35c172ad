"""[web process] One predict request: what has been handed out of it, and what came back."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ..processes.messages import Problem
from ..wire.results import NOTHING


@dataclass
class Predictions:
    """What came of one request."""

    results: list[bytes]
    """The encoded items for its tasks, in order."""
    version: str
    """Name of the version that predicted."""
    number: int
    """Number of that version."""
    problems: list[Problem] = field(default_factory=list)
    """Why tasks got no prediction."""


class Requester(Protocol):
    """Whoever made a request hears what becomes of it."""

    def progressed(self, request: Request, start: int, items: list[bytes], problems: Sequence[Problem]) -> None:
        """There are results for its tasks from `start` on; `left` says how many tasks have none yet."""

    def failed(self, request: Request, error: Exception) -> None:
        """Nothing more will come."""


Version = tuple[str, int]
"""Name and number of a version."""

Identity = tuple[int, bytes]
"""What makes requests the very same: the number of the active version, and the body."""


class Request:
    """The tasks of one request and what has come of them."""

    __slots__ = (
        "identity",
        "interactive",
        "label_config",
        "left",
        "next",
        "over",
        "params",
        "problems",
        "project_id",
        "requester",
        "results",
        "since",
        "tasks",
        "version",
    )

    def __init__(
        self,
        requester: Requester,
        project_id: str,
        label_config: str | None,
        tasks: list[bytes],
        params: bytes,
        *,
        interactive: bool = False,
        identity: Identity | None = None,
    ) -> None:
        """Begin with nothing handed out.

        Args:
            requester: hears what becomes of it.
            project_id: the project.
            label_config: the project's labeling config as sent with the request.
            tasks: as JSON.
            params: what else came with the request, as JSON.
            interactive: whether an annotator waits for it.
            identity: by which another one is known that asks the very same.
        """
        self.requester, self.identity, self.interactive = requester, identity, interactive
        self.project_id, self.label_config, self.params = project_id, label_config, params
        self.tasks = tasks
        self.results: list[bytes | None] = [None] * len(tasks)
        self.problems: list[Problem] = []
        self.version: Version = ("", 0)
        self.next = 0  # the first task that has not been handed out
        self.left = len(tasks)  # tasks without a result
        self.since = time.monotonic()
        self.over = False  # nothing more is done for it

    @property
    def queued(self) -> int:
        """Tasks that have not been handed out yet."""
        return 0 if self.over else len(self.tasks) - self.next

    def take(self, most: int) -> Piece:
        """Hand out the next tasks."""
        start = self.next
        self.next = min(start + most, len(self.tasks))
        return Piece(self, start, self.next)

    def withdraw(self) -> int:
        """Hand out no more; how many tasks that concerns."""
        queued = self.queued
        self.next = len(self.tasks)
        return queued

    def close(self) -> None:
        """Do nothing more for it: what still comes is of no interest."""
        self.over = True

    def fill(self, start: int, items: list[bytes], problems: Sequence[Problem], version: Version | None) -> None:
        """Results have come for the tasks from `start` on."""
        self.results[start : start + len(items)] = items
        self.left -= len(items)
        if items and not self.over:
            if version is not None:
                self.version = version
            if problems:
                self.problems += problems
            self.requester.progressed(self, start, items, problems)

    def shares_calls_with(self, other: Request) -> bool:
        """Whether both may be in one call of predict()."""
        return (
            self.params == other.params
            and self.label_config == other.label_config
            and self.project_id == other.project_id
        )

    def predictions(self) -> Predictions:
        """What there is; nothing for tasks that have no result yet."""
        results = self.results if not self.left else [NOTHING if item is None else item for item in self.results]
        return Predictions(results, *self.version, self.problems)  # type: ignore[arg-type]


class Piece:
    """Some tasks of a request on their way through a call of predict()."""

    __slots__ = ("deaths", "request", "start", "stop")

    def __init__(self, request: Request, start: int, stop: int) -> None:
        self.request, self.start, self.stop = request, start, stop
        self.deaths = 0  # how many workers have ended with nothing else to do than this

    def __len__(self) -> int:
        return self.stop - self.start

    @property
    def tasks(self) -> list[bytes]:
        """The tasks, as JSON."""
        return self.request.tasks[self.start : self.stop]

    def halves(self) -> list[Piece]:
        """Two smaller ones, to find the poison task."""
        middle = (self.start + self.stop) // 2
        return [Piece(self.request, self.start, middle), Piece(self.request, middle, self.stop)]

    def died(self) -> int:
        """A worker ended that had nothing else to do; how many have by now."""
        self.deaths += 1
        return self.deaths

    def fill(self, items: list[bytes], problems: Sequence[Problem] = (), version: Version | None = None) -> None:
        """Results of the next tasks, and the version they are of; what is filled is not handed out again."""
        start = self.start
        self.start += len(items)
        self.request.fill(start, items, problems, version)
