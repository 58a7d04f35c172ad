"""What the dispatcher needs of whoever runs the author's predict(): a pool of processes, or this process."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Protocol

import msgspec

from ..backend.answers import Answer, Description, Group


class Call(msgspec.Struct):
    """One call of predict() to be: requests of one project that may share it. `params` is JSON."""

    project_id: str
    label_config: str | None
    groups: list[Group]
    params: bytes


class ModelStatus(msgspec.Struct):
    """How the author's class is doing: `loading`, `ready` or `failed`, and why; `usage`: there is none to load."""

    state: str = "loading"
    error: str = ""
    usage: bool = False
    description: Description | None = None


class Runner(Protocol):
    """Runs calls. Its capacity is how many it takes at once."""

    status: ModelStatus
    on_free: Callable[[], None]
    changed: asyncio.Event
    """Set whenever the status settles."""

    async def start(self) -> None:
        """Begin to load the author's class."""

    async def stop(self, timeout: float) -> None:
        """End, in order if that takes no more than `timeout` seconds."""

    def kill(self) -> None:
        """End now."""

    def hurry(self) -> None:
        """Try again now to load a class that failed to."""

    @property
    def pids(self) -> list[int]:
        """Processes that run the model."""

    def has_room(self) -> bool:
        """Whether a call would start at once."""

    def submit(self, call: Call) -> Coroutine[Any, Any, tuple[Answer, float]]:
        """Take up a call now; await the result for the answer and the seconds it took.

        Raises:
            LoadError: (awaited) the author's class cannot be loaded.
            WorkerDied: (awaited) the process running it ended.
        """

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
