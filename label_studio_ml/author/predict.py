"""An instance of the author's class asked for predictions.

Runs in a worker or in the calling process. Knows nothing of projects and of which instances are kept.
`bisection` decides what each call is given, `reply` brings what comes back into shape.
"""

from __future__ import annotations

import asyncio
import inspect
import itertools
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from ..errors import InvalidPrediction
from ..instance import signatures
from ..instance.state import at_work, state_of
from ..processes.messages import Answer, Predict
from ..wire import results
from .bisection import Batching, Bisection
from .reply import Growing, Reply, Streamed

_END = object()
_all_of = msgspec.json.Decoder(list[dict[str, Any]]).decode
_one_of = msgspec.json.Decoder(dict[str, Any]).decode


class Predictor:
    """Calls the author's predict(), and remembers what its class cannot do."""

    def __init__(self) -> None:
        self._batching = Batching()
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
        given, sizes = _decoded(call.tasks), call.sizes
        params: dict[str, Any] = msgspec.json.decode(call.params)
        understood = [task for task in given if isinstance(task, dict)]
        if len(understood) < len(given):
            sizes = _sizes_without(given, sizes)
        interactive = bool(params.get("context"))
        streams = streamed is not None and len(sizes) == 1 and not interactive
        reply = Reply(instance, given, interactive, streamed if streams else None)
        bisection = Bisection(
            lambda tasks, growing: self.call(instance, tasks, params, growing),
            self._batching,
            reply if streams else None,
        )
        with at_work(state_of(instance)):
            items = bisection.run(understood, sizes) if understood else []
        return reply.complete(items, self._batching.merges)

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


def _sizes_without(given: Sequence[Any], sizes: Sequence[int]) -> list[int]:
    """The sizes of requests without the tasks that are none."""
    tasks = iter(given)
    counts = [sum(isinstance(task, dict) for task in itertools.islice(tasks, size)) for size in sizes]
    return [count for count in counts if count]
