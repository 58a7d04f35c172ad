"""[web process] Predictions that were not ready when their request had to be answered.

They are finished all the same and stored in Label Studio. Whoever asks for them meanwhile joins; what cannot be
stored is kept for a while, as Label Studio asks again for tasks without predictions.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import msgspec

from ..errors import BackendError
from ..wire.requests import task_id
from ..wire.results import NOTHING
from .request import Request

_PAUSE, _LONG_PAUSE = 1.0, 60.0
"""Seconds until results are stored, so that Label Studio gets many at once; and until it is tried again."""

_KEPT_FOR = 15 * 60.0
"""Seconds for which results that Label Studio did not take are kept."""

_KEPT = 20_000
"""The most results that are kept."""

_log = logging.getLogger(__name__)

Key = tuple[int, str, str | None, bytes, bytes]
"""What makes a task the same: number of the version, project, labeling config, params, and the task."""

Store = Callable[[str, list[dict[str, Any]]], Awaitable[None]]


class Entry:
    """A task that is late."""

    def __init__(self, task: Any, result: asyncio.Future[bytes]) -> None:
        self.task = task  # its id, if it has one
        self.result = result
        self.finished_at = 0.0
        self.clients = 0  # how many wait for it again and will get it in their reply
        self._stored: asyncio.Future[bool] | None = None  # while it is being stored: whether that has worked

    @contextlib.contextmanager
    def asked_again(self) -> Iterator[None]:
        """Somebody waits for it again: its result goes into their reply."""
        self.clients += 1
        try:
            yield
        finally:
            self.clients -= 1

    def finish(self, item: bytes) -> None:
        """Its result has come."""
        self.result.set_result(item)
        self.finished_at = time.monotonic()

    def storing(self, stored: asyncio.Future[bool] | None) -> None:
        """It is being stored, and `stored` will say whether that has worked; None: it is not any more."""
        self._stored = stored

    async def reply(self) -> bytes:
        """What whoever asks for it again gets: nothing, if it has got into Label Studio meanwhile."""
        item = await asyncio.shield(self.result)
        if self._stored is not None and await asyncio.shield(self._stored):
            return NOTHING
        return item


class Late:
    """The late tasks of one server."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._entries: dict[Key, Entry] = {}
        self._requests: dict[Request, dict[int, Key]] = {}
        self._ready: list[Key] = []
        self._storing: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, request: Request) -> bool:
        """Whether tasks of the request are being finished."""
        return request in self._requests

    def adopt(self, request: Request, version: int) -> None:
        """Take over the tasks of a request that have no result yet; `version` is the number of the active one."""
        loop = asyncio.get_running_loop()
        places: dict[int, Key] = {}
        for place, (task, result) in enumerate(zip(request.tasks, request.results, strict=True)):
            if result is None:
                key = (version, request.project_id, request.label_config, request.params, task)
                places[place] = key
                self._entries[key] = Entry(task_id(task), loop.create_future())
        self._requests[request] = places

    def find(
        self, version: int, project_id: str, label_config: str | None, params: bytes, tasks: list[bytes]
    ) -> dict[int, Entry]:
        """Those of the tasks, by their place, that are being finished or are kept."""
        found = {}
        for place, task in enumerate(tasks):
            if entry := self._entries.get((version, project_id, label_config, params, task)):
                found[place] = entry
        return found

    def filled(self, request: Request, start: int, items: list[bytes]) -> None:
        """Results of some tasks of a request have come."""
        places = self._requests[request]
        for place, item in enumerate(items, start):
            key = places.pop(place, None)
            entry = self._entries.get(key) if key else None
            if key is None or entry is None or entry.result.done():
                continue
            entry.finish(item)
            if entry.clients or item == NOTHING:
                del self._entries[key]
            else:
                self._ready.append(key)
        if not places:
            del self._requests[request]
        if self._ready and self._storing is None:
            self._storing = asyncio.get_running_loop().create_task(self._store_soon())

    def given_up(self, request: Request) -> None:
        """A request failed; nothing more comes of it."""
        for key in self._requests.pop(request, {}).values():
            if entry := self._entries.pop(key, None):
                entry.result.cancel()

    @contextlib.contextmanager
    def asked_again(self, entries: list[Entry]) -> Iterator[None]:
        """Somebody waits for these tasks again: their results go into a reply instead of being stored."""
        with contextlib.ExitStack() as stack:
            for entry in entries:
                stack.enter_context(entry.asked_again())
            yield

    async def collect(self, entries: list[Entry], timeout: float) -> list[bytes]:
        """The results of tasks for a reply: nothing for those that are not there after `timeout` seconds.

        What is handed out is in the reply, so there is no need to store or keep it.
        """
        replies = [asyncio.ensure_future(entry.reply()) for entry in entries]
        try:
            await asyncio.wait(replies, timeout=timeout)
            finished = [reply.done() and not reply.cancelled() for reply in replies]
            items = [reply.result() if done else NOTHING for reply, done in zip(replies, finished, strict=True)]
        finally:
            for reply in replies:
                reply.cancel()
        gone = {id(entry) for entry, done in zip(entries, finished, strict=True) if done}
        self._entries = {key: entry for key, entry in self._entries.items() if id(entry) not in gone}
        return items

    async def stop(self) -> None:
        """Store what is ready, without waiting for more."""
        if self._storing is not None:
            self._storing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._storing
        await self._store_ready()

    async def _store_soon(self) -> None:
        try:
            pause = _PAUSE
            while self._ready:
                await asyncio.sleep(pause)
                pause = _PAUSE if await self._store_ready() else _LONG_PAUSE
        finally:
            self._storing = None

    async def _store_ready(self) -> bool:
        """Store what is ready, project by project; False when Label Studio did not take everything."""
        ready, self._ready = self._ready, []
        projects: dict[str, list[Key]] = {}
        for key in ready:
            projects.setdefault(key[1], []).append(key)
        stored = [await self._store_of_project(project_id, keys) for project_id, keys in projects.items()]
        self._tidy()
        return all(stored)

    async def _store_of_project(self, project_id: str, keys: list[Key]) -> bool:
        entries = [entry for key in keys if (entry := self._entries.get(key)) and isinstance(entry.task, int)]
        predictions = [
            {"task": entry.task, **prediction}
            for entry in entries
            for prediction in _predictions(entry.result.result())
        ]
        if not predictions:
            return True
        storing = asyncio.get_running_loop().create_future()
        for entry in entries:
            entry.storing(storing)
        try:
            await self._store(project_id, predictions)
        except BaseException as error:
            storing.set_result(False)
            for entry in entries:
                entry.storing(None)
            if not isinstance(error, BackendError):
                raise
            self._ready += keys
            _log.warning(
                "Predictions for %d late tasks of project %s were not stored in Label Studio. It is tried again, "
                "and they are kept for %d minutes in case that it asks for them. %s",
                len(entries),
                project_id,
                _KEPT_FOR // 60,
                error,
            )
            return False
        storing.set_result(True)
        _log.info(
            "Predictions for %d late tasks of project %s are stored in Label Studio", len(entries), project_id
        )
        for key in keys:
            self._entries.pop(key, None)
        return True

    def _tidy(self) -> None:
        """Forget what has been kept for long, and the oldest of too many."""
        oldest = time.monotonic() - _KEPT_FOR
        kept = [key for key, entry in self._entries.items() if entry.result.done()]
        for place, key in enumerate(kept):
            if self._entries[key].finished_at < oldest or place < len(kept) - _KEPT:
                del self._entries[key]


def _predictions(item: bytes) -> list[dict[str, Any]]:
    found = msgspec.json.decode(item)
    return found if isinstance(found, list) else [found]
