"""[web process] The batch delay: how long the next call waits for clients that have just been answered.

Without it, clients of a model whose calls take long fall into two halves that wait for each other.
"""

from __future__ import annotations

_LONG, _SHARE, _LONGEST = 0.005, 0.1, 0.01
"""Seconds of a call from which a delay pays; its length, as a share of the call's; the most seconds it takes."""

_SKIPPED = 20
"""Calls without a delay after one in which nobody came back."""


class BatchDelay:
    """Decides when a delay begins, and when it has served its purpose. Whoever asks has the timer."""

    def __init__(self, max_batch_size: int) -> None:
        self._size = max_batch_size
        self._waiting = self._expected = self._skip = 0
        self.active = False  # it has begun and not ended

    def begin(self, seconds: float, answered: int, waiting: int) -> float:
        """A call is over: the seconds for which the next one is to wait; 0 for not at all.

        Args:
            seconds: how long the call took.
            answered: requests it answered, whose clients may ask again at once.
            waiting: requests that wait for the next call.
        """
        if seconds < _LONG or not waiting or self.active:
            return 0.0
        if self._skip:
            self._skip -= 1
            return 0.0
        self._waiting, self._expected, self.active = waiting, waiting + answered, True
        return min(seconds * _SHARE, _LONGEST)

    def holds(self, requests: int, tasks: int) -> bool:
        """Whether the next call has to wait still, with so many requests and tasks there for it."""
        return requests < self._expected and tasks < self._size

    def end(self, requests: int) -> None:
        """The seconds are over, and so many requests wait now."""
        self.active = False
        if requests == self._waiting:
            self._skip = _SKIPPED
