"""How the author's class is doing, and how to wait until that is known."""

from __future__ import annotations

import asyncio
from typing import Literal

import msgspec

from ..processes.messages import Description


class ModelStatus(msgspec.Struct, frozen=True):
    """How the author's class is doing, and why."""

    state: Literal["loading", "ready", "failed", "unloaded"] = "loading"
    error: str = ""
    """Why it failed."""
    usage: bool = False
    """Whether it failed because the command named no usable class."""
    description: Description | None = None
    """What the class is like, since it was first imported."""

    @property
    def settled(self) -> bool:
        """Whether it is known if the class can be used."""
        return self.state in ("ready", "failed")


class StatusBoard:
    """The status of one runner, and those who wait for it to settle."""

    def __init__(self, status: ModelStatus | None = None) -> None:
        self._current = status or ModelStatus()
        self._waiting: list[asyncio.Future[ModelStatus]] = []

    @property
    def current(self) -> ModelStatus:
        """The status now."""
        return self._current

    def loading(self) -> None:
        """The class is being loaded, perhaps again."""
        self._set(ModelStatus("loading", description=self._current.description))

    def ready(self, description: Description | None) -> None:
        """The class can be used."""
        self._set(ModelStatus("ready", description=description))

    def failed(self, error: str, *, usage: bool = False) -> None:
        """The class cannot be used."""
        self._set(ModelStatus("failed", error, usage, self._current.description))

    def unloaded(self) -> None:
        """Nothing is loaded, because nobody needs it."""
        self._set(ModelStatus("unloaded", description=self._current.description))

    async def settled(self, after: ModelStatus | None = None) -> ModelStatus:
        """Wait until it is known whether the class can be used; with `after`, until that is known anew."""
        if self._current.settled and self._current is not after:
            return self._current
        waiting: asyncio.Future[ModelStatus] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiting)
        return await waiting

    def _set(self, status: ModelStatus) -> None:
        self._current = status
        if status.settled:
            waiting, self._waiting = self._waiting, []
            for one in waiting:
                if not one.done():
                    one.set_result(status)
