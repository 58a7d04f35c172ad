"""Narrowing down: a call of predict() that fails is repeated with fewer tasks, until the bad one is alone.

Runs in a worker or in the calling process. Does not know how the author's code is called.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from typing import Any

from ..errors import PredictError, one_line
from ..wire.results import WrongCount
from .reply import Growing, Reply

_log = logging.getLogger(__name__)

_GIVE_UP_AFTER = 8
"""Single tasks that fail in a row, with none that succeeds, before the rest of a call is not tried one by one."""

Call = Callable[[list[dict[str, Any]], Growing | None], list[Any]]
"""Calls the author's predict() with some tasks; told what to call when it has given more items."""


class Batching:
    """What one call of predict() may be given. What the author's class cannot do shows once, and is remembered."""

    def __init__(self) -> None:
        self.merges = True
        """Whether the tasks of several requests may go into one call."""
        self.batches = True
        """Whether several tasks may go into one call."""

    def stop_merging(self, reason: WrongCount) -> None:
        """Give each request a call of its own from now on."""
        self.merges = False
        _log.warning("%s Requests are not merged for this model from now on.", reason)

    def stop_batching(self, reason: WrongCount) -> None:
        """Give each task a call of its own from now on."""
        self.batches = False
        _log.warning("%s Its tasks are predicted one by one from now on.", reason)


class Bisection:
    """Predicts for some tasks; when a call fails, for each request alone, then for halves of it."""

    def __init__(self, call: Call, batching: Batching, reply: Reply | None) -> None:
        self._call = call
        self._batching = batching
        self._reply = reply
        """Where items go that are ready before the rest; None when nobody waits for them."""
        self._failed_alone = 0
        self._succeeded = False

    def run(self, tasks: list[dict[str, Any]], sizes: list[int]) -> list[Any]:
        """An item, or the exception, for each task.

        Args:
            tasks: those of one request after those of another.
            sizes: how many tasks each request has.
        """
        if len(sizes) > 1 and not (self._batching.merges and self._batching.batches):
            return self._each(tasks, sizes)
        if len(tasks) > 1 and not self._batching.batches:
            return self._one_by_one(tasks)
        reply, self._reply = self._reply, None  # parts of a call that failed are not sent on
        try:
            items = self._call(tasks, reply.grow if reply else None)
        except WrongCount as error:
            if reply is not None and (sent := reply.stop()):
                return [*[None] * sent, *self._one_by_one(tasks[sent:])]
            return self._after_wrong_count(tasks, sizes, error)
        except (Exception, SystemExit, KeyboardInterrupt) as error:  # noqa: BLE001 - authors may raise anything
            if reply is not None and (sent := reply.stop()):  # the others may be those of other tasks
                rest = tasks[sent:]
                return [*[None] * sent, *(self._split(rest, [len(rest)], error) if rest else [])]
            return self._split(tasks, sizes, error)
        self._succeeded = True
        return items

    def _after_wrong_count(self, tasks: list[dict[str, Any]], sizes: list[int], error: WrongCount) -> list[Any]:
        if len(sizes) > 1:
            self._batching.stop_merging(error)
            return self._each(tasks, sizes)
        if len(tasks) > 1:
            self._batching.stop_batching(error)
            return self._one_by_one(tasks)
        return [error]

    def _one_by_one(self, tasks: list[dict[str, Any]]) -> list[Any]:
        return self._each(tasks, [1] * len(tasks))

    def _each(self, tasks: list[dict[str, Any]], sizes: list[int]) -> list[Any]:
        items, start = [], 0
        for size in sizes:
            items += self.run(tasks[start : start + size], [size])
            start += size
        return items

    def _split(self, tasks: list[dict[str, Any]], sizes: list[int], error: BaseException) -> list[Any]:
        if len(tasks) == 1:
            if not self._failed_alone:
                _log.error("predict() raised:\n%s", "".join(traceback.format_exception(error)).rstrip())
            self._failed_alone += 1
            return [PredictError(f"predict() raised {one_line(error)}")]
        if self._failed_alone >= _GIVE_UP_AFTER and not self._succeeded:
            return [PredictError(f"predict() raised {one_line(error)}")] * len(tasks)
        if len(sizes) > 1:
            return self._each(tasks, sizes)
        half = len(tasks) // 2
        return self._each(tasks, [half, len(tasks) - half])
