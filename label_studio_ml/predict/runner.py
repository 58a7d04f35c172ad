"""What is needed of whoever runs the author's predict(): a pool of processes, or this process."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Literal, Protocol

from ..processes.messages import Answer, Predict
from .status import ModelStatus


class Listener(Protocol):
    """Whoever submitted a call hears of it what follows, in this order; one of the last two ends it."""

    def streamed(self, answer: Answer) -> None:
        """Results of the next tasks have come, while the call goes on."""

    def answered(self, answer: Answer, seconds: float) -> None:
        """The results of the rest have come; it took that long."""

    def failed(self, error: Exception) -> None:
        """Nothing more will come: the class cannot be loaded (`LoadError`), the process ended (`WorkerDied`)."""


Room = Literal["now", "ahead", "alone"]
"""A worker that can begin now; one that is about to be done with quick calls; one that has nothing else to do."""


class Runner(Protocol):
    """Runs calls. Its capacity is how many it takes at once."""

    @property
    def status(self) -> ModelStatus:
        """How the author's class is doing."""

    @property
    def pids(self) -> list[int]:
        """Processes that run the model."""

    @property
    def memory(self) -> dict[str, int]:
        """Bytes of memory that each of them takes up, by its number."""

    async def start(self) -> None:
        """Begin to load the author's class."""

    async def stop(self, timeout: float) -> None:
        """End, in order if that takes no more than `timeout` seconds."""

    def kill(self) -> None:
        """End now."""

    def subscribe(self, on_room: Callable[[], None]) -> None:
        """Have `on_room` called whenever there may be room for a call again."""

    async def settled(self, after: ModelStatus | None = None) -> ModelStatus:
        """Wait until it is known whether the class can be used; with `after`, until that is known anew."""

    def wake(self) -> None:
        """Somebody needs the model now: load it if it was unloaded."""

    def retry(self) -> None:
        """Try again now to load a class that failed to."""

    def suspend(self, error: str) -> None:
        """Every task ends its worker: refuse calls for a while, and say so."""

    def has_room(self, room: Room) -> bool:
        """Whether a call could be submitted that needs such a worker."""

    def reserve(self, wanted: bool) -> None:
        """Give one worker nothing new, so that there will be room `alone`; or not any more."""

    def submit(self, call: Predict, listener: Listener, room: Room) -> None:
        """Take up a call now: `has_room` has just said that it can be, and its version is the active one."""

    async def warm(self, project_id: str, label_config: str | None) -> str:
        """Load the instance of a project's active version and return the version's name.

        Raises:
            LoadError: it cannot be loaded.
        """

    async def swap(self, project_id: str, version: int, activate: Callable[[str], Awaitable[None]]) -> None:
        """Move a project to another version without a failed request.

        Args:
            project_id: the project.
            version: number of the version.
            activate: awaited with the version's name once it is loaded, before it serves.

        Raises:
            LoadError: it cannot be loaded; the old one stays.
            WorkerDied: the process that was loading it ended; the old one stays.
        """

    async def store(self, project_id: str, predictions: list[dict[str, Any]]) -> None:
        """Have Label Studio store predictions: `task` (its id), `result`, `score`, `model_version`.

        Raises:
            LabelStudioError: it does not; the message says why.
            WorkerDied: the process that was at it ended.
        """
