"""Growing pauses between attempts, which can be cut short."""

from __future__ import annotations

import asyncio
import contextlib

_DOUBLED = 30
"""Times a pause is doubled at most: there may be attempts for days."""


class Backoff:
    """Each pause is twice as long as the one before, until `reset`."""

    def __init__(self, first: float, longest: float, *, at_once: bool = False) -> None:
        """Begin anew.

        Args:
            first: seconds of the first pause.
            longest: the most seconds.
            at_once: whether there is no pause before the first attempt.
        """
        self._first, self._longest, self._at_once = first, longest, at_once
        self._attempts = 0
        self._now = asyncio.Event()

    @property
    def has_begun(self) -> bool:
        """Whether there has been an attempt since the last reset."""
        return self._attempts > 0

    def next(self) -> float:
        """Seconds of the next pause."""
        delay = min(self._first * 2.0 ** min(self._attempts, _DOUBLED), self._longest)
        if self._at_once and not self._attempts:
            delay = 0.0
        self._attempts += 1
        return delay

    async def pause(self, seconds: float) -> None:
        """Wait so long, or until it is cut short."""
        self._now.clear()
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._now.wait(), seconds)

    def cut_short(self) -> None:
        """Let whoever pauses go on now."""
        self._now.set()

    def reset(self) -> None:
        """An attempt succeeded."""
        self._attempts = 0
