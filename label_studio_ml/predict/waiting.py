"""[web process] Clients that wait: each hears of its request's outcome, unless it has closed its connection."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from ..errors import ClientGone
from .request import Predictions, Request

_ROUND = 0.1
"""Seconds between two looks at the requests that wait."""

Gone = Callable[[], Awaitable[Any]]
"""Returns when the client has closed its connection."""


class Waiter:
    """A client that waits for a request."""

    __slots__ = ("_gone", "_watch", "future")

    def __init__(self, future: asyncio.Future[Predictions], gone: Gone | None) -> None:
        self.future, self._gone = future, gone
        self._watch: asyncio.Task[None] | None = None

    def watch(self) -> None:
        """Begin to look whether the client is there still. Not worth it for requests that are quick."""
        if self._gone is not None and self._watch is None:
            self._watch = asyncio.get_running_loop().create_task(self._wait_gone(self._gone))

    def settle(self, outcome: Predictions | Exception) -> None:
        """Tell the client, if it waits still."""
        if self.future.done():
            return
        if isinstance(outcome, Exception):
            self.future.set_exception(outcome)
        else:
            self.future.set_result(outcome)

    def leave(self) -> None:
        """The client waits no more."""
        if self._watch is not None:
            self._watch.cancel()

    async def _wait_gone(self, gone: Gone) -> None:
        await gone()
        self.settle(ClientGone())


class Waiting:
    """The requests that are open, and the clients that wait for each."""

    def __init__(
        self, deadline: float, overdue: Callable[[Request], None], abandoned: Callable[[Request], None]
    ) -> None:
        """Begin with none, on the running event loop.

        Args:
            deadline: seconds after which a request is overdue.
            overdue: told of each request that is.
            abandoned: told of each request that nobody waits for any more.
        """
        self._deadline, self._overdue, self._abandoned = deadline, overdue, abandoned
        self._loop = asyncio.get_running_loop()
        self._open: dict[Request, list[Waiter]] = {}  # the oldest first
        self._timer: asyncio.TimerHandle | None = None

    async def wait(self, request: Request, gone: Gone | None) -> Predictions:
        """Wait for the outcome of a request.

        Raises:
            ClientGone: the client closed its connection meanwhile.
            Exception: the outcome, if it is one.
        """
        waiter = Waiter(self._loop.create_future(), gone)
        waiters = self._open.get(request)
        if waiters is None:
            self._open[request] = [waiter]
            if self._timer is None:
                self._timer = self._loop.call_later(_ROUND, self._look)
        else:
            waiters.append(waiter)
        try:
            return await waiter.future
        finally:
            waiter.leave()
            if waiters := self._open.get(request):
                waiters.remove(waiter)
                if not waiters:
                    del self._open[request]
                    self._abandoned(request)

    def settle(self, request: Request, outcome: Predictions | Exception) -> None:
        """Tell whoever waits for a request."""
        for waiter in self._open.pop(request, ()):
            waiter.settle(outcome)

    def seconds_left(self, request: Request) -> float:
        """Seconds until a request is overdue."""
        return max(self._deadline - (time.monotonic() - request.since), 0.0)

    def stop(self) -> None:
        """End the timer."""
        if self._timer is not None:
            self._timer.cancel()

    def _look(self) -> None:
        """Which requests are overdue, and which clients have gone meanwhile?"""
        self._timer = None
        now = time.monotonic()
        for request, waiters in list(self._open.items()):
            age = now - request.since
            if age < _ROUND:
                break
            if age >= self._deadline:
                self._overdue(request)
                continue
            for waiter in waiters:
                waiter.watch()
        if self._open:
            self._timer = self._loop.call_later(_ROUND, self._look)
