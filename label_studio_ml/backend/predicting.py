"""An instance of the author's class asked for predictions, and its answer brought into shape.

Runs in a worker or in the calling process. Knows nothing of projects and of which instances are kept.
"""

from __future__ import annotations

import asyncio
import inspect
import itertools
import logging
import threading
import traceback
from collections.abc import Sequence
from typing import Any

import msgspec

from ..errors import InvalidPrediction, PredictError, one_line
from ..protocol import responses
from ..protocol.validation import Checker
from . import signatures
from .answers import Answer, Group, Problem
from .state import at_work, state_of

_log = logging.getLogger(__name__)

_GIVE_UP_AFTER = 8
"""Single tasks that fail in a row, with none that succeeds, before the rest of a call is not tried one by one."""

_SHOWN = 200
"""Characters that are shown of a task's id; ten times as many of what is wrong with it."""


class Predictor:
    """Calls the author's predict(), and remembers what its class cannot do."""

    def __init__(self) -> None:
        self.merges = True
        """Whether the class can be given the tasks of several requests in one call."""
        self.batches = True
        """Whether the class can be given several tasks in one call."""
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None

    def answer(self, instance: Any, groups: Sequence[Group], params: dict[str, Any]) -> Answer:
        """Predict for the tasks of some requests, in one call where that works.

        A task whose prediction fails gets `[]` and a `Problem`; the others get theirs.

        Args:
            instance: of the author's class.
            groups: the requests; several only if none has a context.
            params: `context` and whatever else came with the request.
        """
        state = state_of(instance)
        given = [[_decoded(task) for task in group.tasks] for group in groups]
        understood = [[task for task in tasks if isinstance(task, dict)] for tasks in given]
        sizes = [len(tasks) for tasks in understood if tasks]
        name = state.version.name
        interactive = bool(params.get("context"))
        with at_work(state):
            attempt = _Attempt(self, instance, params)
            items = iter(attempt.run(list(itertools.chain(*understood)), sizes) if sizes else [])
        answer = Answer([], name, state.version.number, mergeable=self.merges)
        checker = None if interactive else _checker(instance)
        for index, tasks in enumerate(given):
            encoded = []
            for task in tasks:
                item = next(items) if isinstance(task, dict) else task
                try:
                    encoded.append(_finished(item, name, checker, interactive))
                except Exception as error:  # noqa: BLE001 - one bad task costs one task
                    encoded.append(responses.NOTHING)
                    answer.problems.append(_problem(index, task, error))
            answer.results.append(encoded)
        answer.version = state.version.name
        for problem in answer.problems:
            _log.error("Task %s got no prediction: %s", problem.task or "(no id)", problem.message)
        return answer

    def call(self, instance: Any, tasks: list[dict[str, Any]], params: dict[str, Any]) -> list[Any]:
        """Call the author's predict() once: one item per task.

        Raises:
            WrongCount: another number of results came back.
        """
        extra = dict(params)
        extra.setdefault("context", None)
        returned = instance.predict(tasks, **signatures.accepted(instance.predict, extra))
        if inspect.isawaitable(returned):
            returned = asyncio.run_coroutine_threadsafe(_await(returned), self._event_loop()).result()
        return responses.normalise(returned, len(tasks))

    def _event_loop(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                threading.Thread(target=self._loop.run_forever, name="author-async", daemon=True).start()
            return self._loop


class _Attempt:
    """One attempt to predict for some tasks, narrowed down until the culprit is alone."""

    def __init__(self, predictor: Predictor, instance: Any, params: dict[str, Any]) -> None:
        self._predictor, self._instance, self._params = predictor, instance, params
        self._failed_alone = 0
        self._succeeded = False

    def run(self, tasks: list[dict[str, Any]], sizes: list[int]) -> list[Any]:
        """An item, or the exception, for each task."""
        predictor = self._predictor
        if len(sizes) > 1 and not (predictor.merges and predictor.batches):
            return self._each(tasks, sizes)
        if len(tasks) > 1 and not predictor.batches:
            return self._each(tasks, [1] * len(tasks))
        try:
            items = predictor.call(self._instance, tasks, self._params)
        except responses.WrongCount as error:
            if len(sizes) > 1:
                predictor.merges = False
                _log.warning("%s Requests are not merged for this model from now on.", error)
                return self._each(tasks, sizes)
            if len(tasks) > 1:
                predictor.batches = False
                _log.warning("%s Its tasks are predicted one by one from now on.", error)
                return self._each(tasks, [1] * len(tasks))
            return [error]
        except (Exception, SystemExit) as error:  # noqa: BLE001 - the author's code may raise anything
            return self._split(tasks, sizes, error)
        self._succeeded = True
        return items

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


async def _await(value: Any) -> Any:
    return await value


def _decoded(raw: bytes) -> dict[str, Any] | InvalidPrediction:
    """A task, or why it is none: one that cannot be read must not cost the others of a merged call theirs."""
    try:
        return msgspec.json.decode(raw, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        return InvalidPrediction(f"the task is not understood: {error}", "task")


def _finished(item: Any, version: str, checker: Checker | None, interactive: bool) -> bytes:
    """A task's slot of the reply, from what the author returned for it."""
    if isinstance(item, Exception):
        raise item
    predictions: list[dict[str, Any]] = responses.as_json(responses.as_predictions(item))
    responses.name_version(predictions, version)
    responses.check_score(predictions)
    if checker is not None:
        checker.check(predictions)
    if interactive:  # the labeling page wants exactly one prediction
        return responses.encode_item(None, predictions[:1] or [{"result": [], "model_version": version}])
    return responses.encode_item(item, predictions)


def _checker(instance: Any) -> Checker | None:
    """What checks against the instance's labeling config; its rules are compiled when that changes."""
    state = state_of(instance)
    try:
        interface = instance.label_interface if instance.label_config else None
        if state.checker is None or state.checker.interface is not interface:
            state.checker = None if interface is None else Checker(interface)
    except Exception:  # noqa: BLE001 - a config the SDK cannot read cannot be checked against either
        return None
    return state.checker


def _problem(group: int, task: Any, error: Exception) -> Problem:
    identity = task.get("id", "") if isinstance(task, dict) else ""
    identity = str(identity)[:_SHOWN]
    message = (str(error) or one_line(error))[: 10 * _SHOWN]  # logged and kept: not without end
    if isinstance(error, InvalidPrediction):
        return Problem(group, identity, "invalid", message, error.reason, error.control)
    reason = "count" if isinstance(error, responses.WrongCount) else "raised"
    return Problem(group, identity, "predict", message, reason)
