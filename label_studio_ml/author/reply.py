"""The slots of a reply, from what predict() gave for each task. Some may be sent on before the rest is there.

Runs in a worker or in the calling process. Calls nothing of the author's but the labeling config of an instance.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from ..errors import InvalidPrediction, message, one_line
from ..instance.state import state_of
from ..processes.messages import Answer, Problem
from ..validation.checker import Checker
from ..wire import results

_log = logging.getLogger(__name__)

_STREAM_EVERY = 0.1
"""Seconds between two times that results of a generator are sent on."""

_SHOWN = 200
"""Characters that are shown of a task's id; ten times as many of what is wrong with it."""

_encode = msgspec.json.Encoder().encode

Growing = Callable[[list[Any]], None]
Streamed = Callable[[Answer], None]


class Reply:
    """Slots filled in the order of the tasks.

    Results of a generator are sent on from another thread, as the author's code may take long for its next item.
    """

    def __init__(
        self, instance: Any, given: Sequence[Any], interactive: bool, streamed: Streamed | None = None
    ) -> None:
        self._instance = instance
        self._state = state_of(instance)
        self._name = self._state.version.name
        self._given = given
        """The tasks; one that could not be read is an exception."""
        self._interactive = interactive
        self._streamed = streamed
        self._checker: Checker | None = None
        self._results: list[bytes] = []
        self._problems: list[Problem] = []
        self._place = 0
        """The task whose slot comes next."""
        self._sent = 0
        """Slots that have been sent on."""
        self._used = 0
        """Items that have gone into slots."""
        self._timer: threading.Timer | None = None
        self._lock = threading.Lock()

    def grow(self, items: list[Any]) -> None:
        """There are more items now, and will be more in the same list: send them on soon."""
        if self._timer is None:
            self._timer = threading.Timer(_STREAM_EVERY, self._send, [items])
            self._timer.start()

    def _send(self, items: list[Any]) -> None:
        with self._lock:
            if self._timer is None or self._streamed is None:
                return  # stopped meanwhile
            self._timer = None
            self._fill(items[: len(self._given)])
            answer = self._filled()
            self._sent = self._place
            self._streamed(answer)

    def stop(self) -> int:
        """Send nothing on any more; how many items have been."""
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            return self._used

    def complete(self, items: list[Any], mergeable: bool) -> Answer:
        """The answer, without what has been sent on already.

        Args:
            items: what predict() gave for each task that could be read, or the exception.
            mergeable: whether the next requests may share a call.
        """
        self.stop()
        self._fill(items)
        while self._place < len(self._given):  # tasks at the end that could not be read
            self._put(self._given[self._place])
        return self._filled(mergeable)

    def _filled(self, mergeable: bool = True) -> Answer:
        """The slots that have been filled since the last time."""
        version = self._state.version
        answer = Answer(self._results, version.name, version.number, self._problems, mergeable)
        self._results, self._problems = [], []
        return answer

    def _fill(self, items: list[Any]) -> None:
        if not self._interactive:  # predict() may just have switched to another labeling config
            self._checker = _checker(self._instance)
        given, checker = self._given, None if self._interactive else self._checker
        for item in items[self._used :] if self._used else items:
            while type(given[self._place]) is not dict:
                self._put(given[self._place])
            if checker is not None and type(item) is dict and (encoded := _verbatim(item, self._name, checker)):
                self._results.append(encoded)
                self._place += 1
            else:
                self._put(item)
        self._used = len(items)

    def _put(self, item: Any) -> None:
        try:
            encoded = _normalised(item, self._name, self._checker, self._interactive)
        except Exception as error:  # noqa: BLE001 - one bad task costs one task
            encoded = results.NOTHING
            problem = _problem(self._place - self._sent, self._given[self._place], error)
            _log.error("Task %s got no prediction: %s", problem.task or "(no id)", problem.message)
            self._problems.append(problem)
        self._results.append(encoded)
        self._place += 1


def _verbatim(item: dict[str, Any], version: str, checker: Checker) -> bytes | None:
    """The slot of a prediction that can stay as it is, as nearly all can; None for one that may have to change."""
    try:
        return _encode({**item, "model_version": version}) if checker.certainly_fits(item) else None
    except (TypeError, ValueError, OverflowError, RecursionError):
        return None


def _normalised(item: Any, version: str, checker: Checker | None, interactive: bool) -> bytes:
    """A task's slot of the reply, from what the author returned for it."""
    if isinstance(item, Exception):
        raise item
    predictions: list[dict[str, Any]] = results.as_json(results.as_predictions(item))
    results.name_version(predictions, version)
    if checker is None:
        results.check_score(predictions)
    else:  # looks at the score, too
        checker.check(predictions)
    if interactive:  # the labeling page wants exactly one prediction
        return results.encode_item(None, predictions[:1] or [{"result": [], "model_version": version}])
    return results.encode_item(item, predictions)


def _checker(instance: Any) -> Checker | None:
    """What checks against the instance's labeling config; its rules are compiled when that changes."""
    try:
        interface = instance.label_interface if instance.label_config else None
        return state_of(instance).checker_for(interface)
    except Exception:  # noqa: BLE001 - a config the SDK cannot read cannot be checked against either
        return None


def _problem(place: int, task: Any, error: Exception) -> Problem:
    identity = task.get("id", "") if isinstance(task, dict) else ""
    identity = str(identity)[:_SHOWN]
    text = (message(error) or one_line(error))[: 10 * _SHOWN]  # logged and kept: not without end
    if isinstance(error, InvalidPrediction):
        return Problem(place, identity, "invalid", text, error.reason, error.control)
    reason = "count" if isinstance(error, results.WrongCount) else "raised"
    return Problem(place, identity, "predict", text, reason)
