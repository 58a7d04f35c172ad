"""[web process] A model that no worker survives being asked is not asked for a while."""

from __future__ import annotations

import logging

from .background import Background
from .backoff import Backoff
from .status import StatusBoard
from .workers import Workers

_FIRST, _LONGEST = 1.0, 30.0
"""Seconds of the first suspension, and the most."""

_log = logging.getLogger(__name__)


class Suspension:
    """Refuses calls by a status that says why, and tries again after pauses that grow."""

    def __init__(self, workers: Workers, status: StatusBoard, background: Background) -> None:
        self._workers, self._status, self._background = workers, status, background
        self._backoff = Backoff(_FIRST, _LONGEST)

    @property
    def active(self) -> bool:
        """Whether the model is not asked now."""
        return self._backoff.has_begun and self._status.current.state == "failed"

    def begin(self, error: str) -> None:
        """Refuse calls for a while."""
        if self._status.current.state == "failed":
            return
        delay = self._backoff.next()
        _log.error("The model is not asked for %g s: %s", delay, error)
        self._status.failed(f"The model does not survive being asked. {error}")
        self._workers.tell_room()
        self._background.start(self._end_after(delay))

    def cut_short(self) -> None:
        """Try again now."""
        self._backoff.cut_short()

    def answered(self) -> None:
        """The model survived a call, or other workers took over: the next suspension is a short one again."""
        self._backoff.reset()

    async def _end_after(self, delay: float) -> None:
        await self._backoff.pause(delay)
        self._status.loading()
        if (worker := self._workers.serving) is not None:
            self._status.ready(worker.description)
        self._workers.tell_room()
