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
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from ..errors import InvalidPrediction, PredictError, message, one_line
from ..instance import signatures
from ..instance.state import at_work, state_of
from ..processes.messages import Answer, Predict, Problem
from ..validation.checker import Checker
from ..wire import results

_log = logging.getLogger(__name__)

_GIVE_UP_AFTER = 8
"""Single tasks that fail in a row, with none that succeeds, before the rest of a call is not tried one by one."""

_STREAM_EVERY = 0.1
"""Seconds between two times that results of a generator are sent on."""

_SHOWN = 200
"""Characters that are shown of a task's id; ten times as many of what is wrong with it."""

_END = object()
_all_of = msgspec.json.Decoder(list[dict[str, Any]]).decode
_encode = msgspec.json.Encoder().encode
_one_of = msgspec.json.Decoder(dict[str, Any]).decode

Streamed = Callable[[Answer], None]
Growing = Callable[[list[Any]], None]


class Predictor:
    """Calls the author's predict(), and remembers what its class cannot do."""

    def __init__(self) -> None:
        self.merges = True
        """Whether the class can be given the tasks of several requests in one call."""
        self.batches = True
        """Whether the class can be given several tasks in one call."""
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None

    def answer(self, instance: Any, call: Predict, streamed: Streamed | None = None) -> Answer:
        """Predict for the tasks of some requests, in one call where that works.

        A task whose prediction fails gets `[]` and a `Problem`; the others get theirs.

        Args:
            instance: of the author's class.
            call: the tasks, and what came with them.
            streamed: told of results that are ready before the rest, when predict() is a generator.
        """
        state = state_of(instance)
        given, sizes = _decoded(call.tasks), call.sizes
        params: dict[str, Any] = msgspec.json.decode(call.params)
        understood = [task for task in given if isinstance(task, dict)]
        if len(understood) < len(given):
            sizes = _sizes_without(given, sizes)
        interactive = bool(params.get("context"))
        reply = _Reply(instance, given, interactive, streamed if len(sizes) == 1 and not interactive else None)
        with at_work(state):
            attempt = _Attempt(self, instance, params, reply if reply.streamed else None)
            items = attempt.run(understood, sizes) if understood else []
        answer = reply.complete(items)
        answer.mergeable = self.merges
        return answer

    def call(
        self, instance: Any, tasks: list[dict[str, Any]], params: dict[str, Any], growing: Growing | None = None
    ) -> list[Any]:
        """Call the author's predict() once: one item per task.

        Args:
            instance: of the author's class.
            tasks: what it is called with.
            params: what else it may take.
            growing: told of all items that there are so far, when predict() is a generator.

        Raises:
            WrongCount: another number of results came back.
        """
        extra = dict(params)
        extra.setdefault("context", None)
        predict = instance.predict
        returned = predict(tasks, **signatures.accepted(predict, extra))
        if type(returned) is list and len(returned) == len(tasks):
            return returned
        if inspect.isawaitable(returned):
            returned = self._awaited(returned)
        if inspect.isasyncgen(returned):
            returned = self._iterated(returned)
        if inspect.isgenerator(returned):
            items: list[Any] = []
            for item in returned:
                items.append(item)
                if growing is not None and len(items) <= len(tasks):
                    growing(items)
            returned = items
        return results.normalise(returned, len(tasks))

    def _iterated(self, items: Any) -> Iterator[Any]:
        """What an asynchronous generator yields."""
        while (item := self._awaited(anext(items, _END))) is not _END:
            yield item

    def _awaited(self, value: Any) -> Any:
        try:
            return asyncio.run_coroutine_threadsafe(_await(value), self._event_loop()).result()
        except _Exit as error:
            raise error.reason from None

    def _event_loop(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                threading.Thread(target=self._loop.run_forever, name="author-async", daemon=True).start()
            return self._loop


class _Reply:
    """The slots of a reply, filled in the order of the tasks. What is ready early may be sent on before the rest.

    That happens on another thread, as the author's generator may take long for its next item.
    """

    def __init__(self, instance: Any, given: Sequence[Any], interactive: bool, streamed: Streamed | None) -> None:
        self.streamed = streamed
        self._state = state_of(instance)
        self._name = self._state.version.name
        self._instance, self._interactive = instance, interactive
        self._checker: Checker | None = None
        self._given = given
        self._place = self._sent = self._used = 0
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None
        self._answer = Answer([], self._name, self._state.version.number)

    def grow(self, items: list[Any]) -> None:
        """There are more items now, and will be more in the same list: send them on soon."""
        if self._timer is None:
            self._timer = threading.Timer(_STREAM_EVERY, self._send, [items])
            self._timer.start()

    def _send(self, items: list[Any]) -> None:
        with self._lock:
            if self._timer is None or self.streamed is None:
                return  # stopped meanwhile
            self._timer = None
            self._fill(items[: len(self._given)])
            answer, self._answer = self._answer, Answer([], self._name, self._state.version.number)
            answer.version = self._state.version.name
            self._sent = self._place
            self.streamed(answer)

    def stop(self) -> int:
        """Send nothing on any more; how many items have been."""
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            return self._used

    def complete(self, items: list[Any]) -> Answer:
        """The answer, without what has been sent on already."""
        self.stop()
        self._fill(items)
        while self._place < len(self._given):  # tasks at the end that are none
            self._put(self._given[self._place])
        self._answer.version = self._state.version.name
        return self._answer

    def _fill(self, items: list[Any]) -> None:
        if not self._interactive:  # predict() may just have switched to another labeling config
            self._checker = _checker(self._instance)
        given, checker = self._given, None if self._interactive else self._checker
        for item in items[self._used :] if self._used else items:
            while type(given[self._place]) is not dict:
                self._put(given[self._place])
            if checker is not None and type(item) is dict and (encoded := _as_it_is(item, self._name, checker)):
                self._answer.results.append(encoded)
                self._place += 1
            else:
                self._put(item)
        self._used = len(items)

    def _put(self, item: Any) -> None:
        try:
            encoded = _finished(item, self._name, self._checker, self._interactive)
        except Exception as error:  # noqa: BLE001 - one bad task costs one task
            encoded = results.NOTHING
            problem = _problem(self._place - self._sent, self._given[self._place], error)
            _log.error("Task %s got no prediction: %s", problem.task or "(no id)", problem.message)
            self._answer.problems.append(problem)
        self._answer.results.append(encoded)
        self._place += 1


class _Attempt:
    """One attempt to predict for some tasks, narrowed down until the culprit is alone."""

    def __init__(self, predictor: Predictor, instance: Any, params: dict[str, Any], reply: _Reply | None) -> None:
        self._predictor, self._instance, self._params = predictor, instance, params
        self._reply = reply
        self._failed_alone = 0
        self._succeeded = False

    def run(self, tasks: list[dict[str, Any]], sizes: list[int]) -> list[Any]:
        """An item, or the exception, for each task."""
        predictor = self._predictor
        if len(sizes) > 1 and not (predictor.merges and predictor.batches):
            return self._each(tasks, sizes)
        if len(tasks) > 1 and not predictor.batches:
            return self._each(tasks, [1] * len(tasks))
        reply, self._reply = self._reply, None  # parts of a call that failed are not sent on
        try:
            items = predictor.call(self._instance, tasks, self._params, reply.grow if reply else None)
        except results.WrongCount as error:
            if reply is not None and (sent := reply.stop()):
                return [*[None] * sent, *self._each(tasks[sent:], [1] * (len(tasks) - sent))]
            if len(sizes) > 1:
                predictor.merges = False
                _log.warning("%s Requests are not merged for this model from now on.", error)
                return self._each(tasks, sizes)
            if len(tasks) > 1:
                predictor.batches = False
                _log.warning("%s Its tasks are predicted one by one from now on.", error)
                return self._each(tasks, [1] * len(tasks))
            return [error]
        except (Exception, SystemExit, KeyboardInterrupt) as error:  # noqa: BLE001 - authors may raise anything
            if reply is not None and (sent := reply.stop()):  # the others may be those of other tasks
                rest = tasks[sent:]
                return [*[None] * sent, *(self._split(rest, [len(rest)], error) if rest else [])]
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


class _Exit(Exception):
    """The author's coroutine wants to end the process, which must not end the event loop."""

    def __init__(self, reason: BaseException) -> None:
        super().__init__()
        self.reason = reason


async def _await(value: Any) -> Any:
    try:
        return await value
    except (SystemExit, KeyboardInterrupt) as error:
        raise _Exit(error) from error


def _decoded(tasks: Sequence[bytes]) -> Sequence[dict[str, Any] | InvalidPrediction]:
    """The tasks. One that cannot be read must not cost the others of a merged call theirs."""
    try:
        found = _all_of(b"[%b]" % b",".join(tasks))
        if len(found) == len(tasks):
            return found
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        pass
    return [_decoded_alone(task) for task in tasks]


def _decoded_alone(raw: bytes) -> dict[str, Any] | InvalidPrediction:
    """A task, or why it is none."""
    try:
        return _one_of(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        return InvalidPrediction(f"the task is not understood: {error}", "task")


def _as_it_is(item: dict[str, Any], version: str, checker: Checker) -> bytes | None:
    """The slot of a prediction that needs not be brought into shape, as nearly none does; None for one that may."""
    try:
        return _encode({**item, "model_version": version}) if checker.certainly_fits(item) else None
    except (TypeError, ValueError, OverflowError, RecursionError):
        return None


def _finished(item: Any, version: str, checker: Checker | None, interactive: bool) -> bytes:
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


def _sizes_without(given: Sequence[Any], sizes: Sequence[int]) -> list[int]:
    """The sizes of requests without the tasks that are none."""
    tasks = iter(given)
    counts = [sum(isinstance(task, dict) for task in itertools.islice(tasks, size)) for size in sizes]
    return [count for count in counts if count]


def _problem(place: int, task: Any, error: Exception) -> Problem:
    identity = task.get("id", "") if isinstance(task, dict) else ""
    identity = str(identity)[:_SHOWN]
    text = (message(error) or one_line(error))[: 10 * _SHOWN]  # logged and kept: not without end
    if isinstance(error, InvalidPrediction):
        return Problem(place, identity, "invalid", text, error.reason, error.control)
    reason = "count" if isinstance(error, results.WrongCount) else "raised"
    return Problem(place, identity, "predict", text, reason)
