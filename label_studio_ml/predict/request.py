"""[web process] One predict request: what has been handed out, what came back, and who waits for it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from ..processes.messages import Problem
from ..wire.results import NOTHING


@dataclass
class Predictions:
    """The encoded items for the tasks of one request, in order; name and number of their version."""

    results: list[bytes]
    version: str
    number: int
    problems: list[Problem] = field(default_factory=list)


Flight = tuple[int, bytes]
"""What makes requests the very same: the number of the active version, and the body."""


class Request:
    """The tasks (JSON) of one request.

    `late`: it was answered before everything was ready; `over`: nothing more is done for it.
    """

    __slots__ = (
        "flight",
        "interactive",
        "label_config",
        "late",
        "left",
        "next",
        "number",
        "over",
        "params",
        "problems",
        "project_id",
        "results",
        "since",
        "tasks",
        "version",
    )

    def __init__(
        self, project_id: str, label_config: str | None, tasks: list[bytes], params: bytes, *, interactive: bool
    ) -> None:
        self.project_id, self.label_config, self.params = project_id, label_config, params
        self.tasks, self.interactive = tasks, interactive
        self.results: list[bytes | None] = [None] * len(tasks)
        self.problems: list[Problem] = []
        self.version, self.number = "", 0
        self.next = 0
        self.left = len(tasks)
        self.since = time.monotonic()
        self.late = self.over = False
        self.flight: Flight | None = None

    @property
    def queued(self) -> int:
        """Tasks that have not been handed out yet."""
        return 0 if self.over else len(self.tasks) - self.next

    def take(self, most: int) -> Piece:
        """Hand out the next tasks."""
        start = self.next
        self.next = min(start + most, len(self.tasks))
        return Piece(self, start, self.next)

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
        return Predictions(results, self.version, self.number, self.problems)  # type: ignore[arg-type]


class Piece:
    """Some tasks of a request on their way through a call of predict().

    `deaths`: how many workers have ended with nothing else to do than this.
    """

    __slots__ = ("deaths", "request", "start", "stop")

    def __init__(self, request: Request, start: int, stop: int) -> None:
        self.request, self.start, self.stop = request, start, stop
        self.deaths = 0

    def __len__(self) -> int:
        return self.stop - self.start

    @property
    def tasks(self) -> list[bytes]:
        """The tasks, as JSON."""
        return self.request.tasks[self.start : self.stop]

    def halves(self) -> list[Piece]:
        """Two smaller ones, to find the task that is guilty."""
        middle = (self.start + self.stop) // 2
        return [Piece(self.request, self.start, middle), Piece(self.request, middle, self.stop)]

    def fill(self, items: list[bytes]) -> None:
        """Results of the next tasks; what is filled is not handed out again."""
        end = self.start + len(items)
        self.request.results[self.start : end] = items
        self.request.left -= len(items)
        self.start = end
