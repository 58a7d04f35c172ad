"""One connection of a client: its requests in their order, its time, its end.

What uvicorn gives to every protocol class is all that is used of it: `Config` and `ServerState` below.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Protocol

from starlette.types import ASGIApp, Scope

from .. import statuses
from .exchange import Exchange
from .reading import Head, KnownHeads, ProtocolError, Reader
from .writing import CONTINUE, Outgoing, refusal

_SLOWEST = 64 * 2**10
"""Bytes that earn a request another second."""

_MOST_BUFFERED = 64 * 2**10
"""Bytes of a body that may wait for the application; then no more is received."""

_MOST_WAITING = 16
"""Requests that may wait for the one before them; then no more are read."""

_FIRST_PROBE = 0.2
"""Seconds after which it is found out whether a client that sends no more is still there."""

_log = logging.getLogger(__name__)


class Config(Protocol):
    """What is used of uvicorn's configuration."""

    @property
    def app(self) -> Any:
        """The application as it was given."""

    @property
    def loaded_app(self) -> Any:
        """The same, with what uvicorn puts around it for requests that come by a proxy."""

    @property
    def access_log(self) -> bool:
        """Whether every request is logged."""

    @property
    def timeout_keep_alive(self) -> int:
        """Seconds that a connection may be idle."""


class ServerState(Protocol):
    """What all connections of a server share."""

    connections: set[Any]
    tasks: set[asyncio.Task[None]]
    total_requests: int
    default_headers: list[tuple[bytes, bytes]]


@dataclass(frozen=True)
class Limits:
    """What a client may do."""

    timeout: float
    """Seconds a request may take to arrive, plus those that its size earns."""
    connections: int
    """How many there may be at once."""
    known: KnownHeads = field(default_factory=KnownHeads)
    """Heads that came before on any connection."""


class Connection(asyncio.Protocol):
    """One connection of a client."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        limits: Limits,
    ) -> None:
        self._config, self._server, self._app_state, self._limits = config, server_state, app_state, limits
        self._loop = _loop or asyncio.get_running_loop()
        self._transport = asyncio.Transport()  # until there is one
        self._outgoing = Outgoing(server_state)
        self._reader = Reader(self, limits.known)
        self._scope: Scope = {"type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "root_path": ""}
        """What the scopes of all its requests have in common."""
        self._receiving: Exchange | None = None
        """The request whose body is being received."""
        self._exchanges: deque[Exchange] = deque()
        """Requests without a complete reply: the first is being answered, the last may be `_receiving`."""
        self._last_words = b""
        """A refusal that is sent when all of them have been answered."""
        self._is_deaf = False
        """Whether nothing more is taken from this client."""
        self._is_paused = False
        """Whether nothing is received for now."""
        self._began: float | None = self._loop.time()
        """When the request that is being received, or the wait for the first one, began."""
        self._idle_since = self._loop.time()
        self._timer: asyncio.TimerHandle | None = None

    # What the loop and uvicorn call.

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take the connection, or say that there are too many."""
        self._transport = transport
        self._outgoing.open(transport)
        self._scope["server"] = _address(transport.get_extra_info("sockname"))
        self._scope["client"] = _address(transport.get_extra_info("peername"))
        self._scope["scheme"] = "https" if transport.get_extra_info("sslcontext") else "http"
        self._server.connections.add(self)
        self._timer = self._loop.call_later(self._limits.timeout, self._look_at_time)
        if len(self._server.connections) > self._limits.connections:
            self._refuse(statuses.UNAVAILABLE, "There are too many connections. Try again later.")

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """The client has gone, or the connection was closed."""
        self._server.connections.discard(self)
        self._is_deaf = True
        self._outgoing.close()
        if self._timer is not None:
            self._timer.cancel()
        for exchange in self._exchanges:
            exchange.disconnect()
        self._exchanges.clear()
        self._receiving = None

    def pause_writing(self) -> None:
        """The client takes less than is sent."""
        self._outgoing.pause()

    def resume_writing(self) -> None:
        """It has taken it."""
        self._outgoing.resume()

    def shutdown(self) -> None:
        """The server stops: finish what has begun."""
        if self._exchanges:
            self._is_deaf = self._receiving is None
            self._exchanges[-1].close_after()
        else:
            self._close()

    def data_received(self, data: bytes) -> None:
        """Something has come."""
        if self._is_deaf:
            return
        try:
            self._reader.feed(data)
        except ProtocolError as error:
            self._refuse(error.status, error.reason)
        self._throttle()

    def eof_received(self) -> bool:
        """The client sends no more, but it may wait for what it has asked for; whether the connection stays."""
        if not self._reader.is_between:
            self._refuse(statuses.BAD_REQUEST, "The connection ended before the request did.")
        self._is_deaf = True
        if not self._exchanges:
            return False
        self._exchanges[-1].close_after()
        self._probe_in(_FIRST_PROBE)
        return True

    # What the reader calls.

    def has_room(self) -> bool:
        """Whether more requests may wait."""
        return len(self._exchanges) <= _MOST_WAITING and not self._is_deaf

    def on_begin(self) -> None:
        """A request has begun."""
        self._began = self._loop.time()

    def on_head(self, head: Head) -> None:
        """Its head is there: now it has its turn, after those before it."""
        scope = {**self._scope, **head.scope}
        if self._app_state:
            scope["state"] = self._app_state.copy()
        self._receiving = Exchange(head, scope, self._outgoing, self._throttle, self._on_answer)
        self._exchanges.append(self._receiving)
        self._start()

    def on_body(self, part: bytes) -> None:
        """A part of its body is there."""
        if self._receiving is not None:
            self._receiving.feed(part)

    def on_end(self) -> None:
        """All of it is there."""
        exchange, self._receiving, self._began = self._receiving, None, None
        if exchange is not None:
            self._is_deaf = not exchange.keep_alive
            exchange.complete()
            self._start()

    # Answering.

    def _start(self) -> None:
        """Call the application for the request whose turn it is, if that is there."""
        if self._exchanges and (exchange := self._exchanges[0]).is_ready:
            app: ASGIApp = self._config.loaded_app if exchange.head.forwarded else self._config.app
            exchange.start(app, self._loop, self._server.tasks)

    def _on_answer(self) -> None:
        """The first request has been answered."""
        exchange = self._exchanges.popleft()
        self._server.total_requests += 1
        self._idle_since = self._loop.time()
        if self._config.access_log:
            _log_access(exchange)
        if not exchange.keep_alive or (self._last_words and not self._exchanges):
            self._close()
            return
        self._start()
        if self._reader.has_more:
            self.data_received(b"")
        else:
            self._throttle()

    def _throttle(self) -> None:
        """Receive no more as long as requests wait for others, or much of a body for the application."""
        is_full = len(self._exchanges) > 1 or (
            self._receiving is not None and self._receiving.size > _MOST_BUFFERED
        )
        if is_full == self._is_paused or self._is_deaf:
            return
        self._is_paused = is_full
        if is_full:
            self._transport.pause_reading()
            return
        if self._began is not None:  # the time was ours
            self._began = self._loop.time()
        self._transport.resume_reading()

    # Ending.

    def _look_at_time(self) -> None:
        """Is the request that is being received late, or has there been none for long?"""
        now = self._loop.time()
        if self._began is None or self._is_paused:
            due = now + self._limits.timeout
            if not self._exchanges and now - self._idle_since > self._config.timeout_keep_alive:
                self._close()
                return
        else:
            due = self._began + self._limits.timeout + self._reader.received / _SLOWEST
        if due > now:
            self._timer = self._loop.call_at(due, self._look_at_time)
        else:
            self._refuse(statuses.TOO_SLOW, "The request took too long to arrive (--request-timeout).")

    def _refuse(self, status: int, reason: str) -> None:
        """Take no more from this client, and say why when what came before has been answered."""
        if self._is_deaf:
            return
        self._is_deaf = True
        unfinished, self._receiving = self._receiving, None
        if unfinished is None:
            self._last_words = refusal(status, reason)
        else:
            if not unfinished.is_answered:
                self._exchanges.pop()
            if not unfinished.is_begun:
                self._last_words = refusal(status, reason)
            unfinished.disconnect()
        if not self._exchanges:
            self._close()

    def _close(self) -> None:
        self._is_deaf = True
        self._outgoing.put(self._last_words)
        self._transport.close()

    def _probe_in(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(seconds, self._probe, seconds)

    def _probe(self, seconds: float) -> None:
        """Find out whether a client that sends no more has gone: writing to one that has fails, the second time."""
        exchange = self._exchanges[0]
        if exchange.scope["http_version"] == "1.1" and not exchange.is_begun:
            self._outgoing.put(CONTINUE)  # any client must be able to take it
        self._probe_in(2 * seconds)


def _address(found: Any) -> tuple[str, int] | None:
    return (found[0], found[1]) if isinstance(found, tuple) else None


def _log_access(exchange: Exchange) -> None:
    scope = exchange.scope
    host, port = scope["client"] or ("-", 0)
    _log.info('%s:%d - "%s %s" %d', host, port, scope["method"], scope["raw_path"].decode("ascii"), exchange.status)
