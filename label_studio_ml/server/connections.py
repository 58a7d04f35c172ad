"""One connection of a client: what it may do before a request exists, and the short way of small requests.

How many connections there are, how large a head may be, how slowly it may come: uvicorn's own HTTP protocol has no
such limits when it parses with httptools. Other servers (gunicorn) have theirs.
"""

from __future__ import annotations

import asyncio
import http
import json
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from .headers import WHOLE

MAX_HEAD = 64 * 2**10
"""Bytes of the first line and the headers together."""

MAX_HEADERS = 100
"""Headers of one request."""

SLOWEST = 64 * 2**10
"""Bytes that earn a request another second."""

SMALL = 32 * 2**10
"""Bytes of a body for which there is a short way. What uvicorn buffers before it slows a client down is more."""


_UNUSUAL = frozenset([b"transfer-encoding", b"content-encoding", b"x-forwarded-for", b"x-forwarded-proto"])
"""Headers whose requests take the long way."""


class _Joined:
    """A transport that sends the head of a reply together with what follows at once: one packet instead of two."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport, self._loop = transport, loop
        self._head = b""
        self.is_closing = transport.is_closing  # asked for every request

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Called by uvicorn."""
        if self._head:
            data, self._head = self._head + data, b""
        elif data.startswith(b"HTTP/1.1 "):
            self._head = data
            self._loop.call_soon(self.flush)  # in case that nothing follows
            return
        self._transport.write(data)

    def whole(self, reply: bytes) -> None:
        """Send a reply, head and body."""
        self._transport.write(reply)

    def flush(self) -> None:
        """Send the head by itself."""
        if self._head:
            self._transport.write(self._head)
            self._head = b""

    def close(self) -> None:
        """Called by uvicorn: what was written before is still sent."""
        self.flush()
        self._transport.close()


class _Small(RequestResponseCycle):
    """A request to predict whose body is small: the application is called when all of it is there.

    It is an ASGI call like any other. What is fast about it is in `scope[WHOLE]`, this object: an application that
    knows it takes `body` as it is, and gives its reply to `reply`.
    """

    disconnected = response_started = response_complete = False
    keep_alive = more_body = True
    _taken = False
    _end: asyncio.Future[None] | None = None
    _begun = b""

    def __init__(self, connection: Connection, scope: dict[str, Any]) -> None:
        self._connection, self.scope = connection, scope  # type: ignore[assignment]
        self.transport, self.flow, self.logger = connection.transport, connection.flow, connection.logger
        self.body = bytearray()
        self.on_response = connection.on_response_complete

    @property
    def message_event(self) -> Any:  # type: ignore[override]
        """What uvicorn sets when something happens."""
        return self

    def set(self) -> None:
        """Called by uvicorn: more of the body has come, or all, or the client has gone."""
        if self.disconnected or self.response_complete:
            if self._end is not None and not self._end.done():
                self._end.set_result(None)
        elif not self.more_body:
            self._task: asyncio.Task[None] = self._connection.loop.create_task(self._run())
            self._connection.tasks.add(self._task)

    async def _run(self) -> None:
        try:
            await self.run_asgi(self._connection.config.app)  # type: ignore[arg-type]
        finally:  # a callback of the task would be another turn of the loop
            self._connection.tasks.discard(self._task)
            del self._task, self.scope[WHOLE]  # type: ignore[literal-required]  # no circles

    def take(self) -> bytes:
        """The body; what `receive` gives comes after it."""
        self._taken = True
        return bytes(self.body)

    async def receive(self) -> Any:
        """Called by the application: the body, then the end of the connection or of the reply."""
        if not self._taken:
            return {"type": "http.request", "body": self.take(), "more_body": False}
        if not (self.disconnected or self.response_complete):
            self._end = self._connection.loop.create_future()
            await self._end
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        """Called by the application: the head of the reply, or all of its body."""
        if message["type"] == "http.response.start":
            self.response_started = True
            headers = b"".join([b"%b: %b\r\n" % header for header in message["headers"]])
            self._begun = STATUS_LINE[message["status"]] + self._connection.default_head() + headers
        else:
            await self._finish(self._begun, message["body"])

    async def reply(self, headers: bytes, body: bytes) -> None:
        """Send a reply of status 200; of its headers, those that are the same for all such replies."""
        head = b"%b%b%bcontent-length: %d\r\n" % (
            STATUS_LINE[200],
            self._connection.default_head(),
            headers,
            len(body),
        )
        await self._finish(head, body)

    async def _finish(self, head: bytes, body: bytes) -> None:
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected:
            return
        self.response_started = self.response_complete = True
        ending = b"\r\n" if self.keep_alive else b"connection: close\r\n\r\n"
        self.transport.whole(head + ending + body)  # type: ignore[attr-defined]
        if self._end is not None:
            self.set()
        if not self.keep_alive:
            self.transport.close()
        self.on_response()


class Connection(HttpToolsProtocol):
    """One connection of a client. `limited` sets the limits."""

    timeout: ClassVar[float]
    most: ClassVar[int]
    _default_head: ClassVar[tuple[Any, bytes]] = None, b""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Called by the loop: take it, or say that there are too many."""
        super().connection_made(_Joined(transport, self.loop))  # type: ignore[arg-type]
        self._refused = False
        self._unusual = bool(self.access_log or self.root_path or self.limit_concurrency is not None)
        self._scope = {
            "type": "http",
            "asgi": {"version": self.asgi_version, "spec_version": "2.3"},
            "http_version": "1.1",
            "server": self.server,
            "client": self.client,
            "scheme": self.scheme,
            "root_path": "",
            "method": "POST",
            "path": "/predict",
            "raw_path": b"/predict",
            "query_string": b"",
        }
        self._began: float | None = self.loop.time()
        self._idle_since = 0.0
        self._received, self._arriving, self._in_head = 0, 0, False
        self._watch = self.loop.call_later(self.timeout, self._check)
        if len(self.connections) > self.most:
            self._refuse(503, "There are too many connections. Try again later.")

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the loop."""
        self._watch.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Called by the loop."""
        if self._refused:
            return
        self._arriving = len(data)
        super().data_received(data)
        self._received += self._arriving
        if self._in_head and self._received > MAX_HEAD:
            self._refuse(431, "The headers of the request are too large.")

    def on_message_begin(self) -> None:
        """Called by the parser: the first byte of a request. Its scope is made once its head is there."""
        self.url, self.headers, self.expect_100_continue = b"", [], False
        self._began, self._received, self._in_head = self.loop.time(), 0, True

    def on_headers_complete(self) -> None:
        """Called by the parser; what is raised here becomes a call of `send_400_response`."""
        self._in_head = False
        size = self._received + self._arriving  # no less than the head
        if size > MAX_HEAD:
            size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        if size > MAX_HEAD or len(self.headers) > MAX_HEADERS:
            self._refuse(431, "The headers of the request are too large, or too many.")
            raise ValueError
        if self._is_small():
            scope: dict[str, Any] = {**self._scope, "headers": self.headers}
            self.cycle = scope[WHOLE] = _Small(self, scope)
            return
        began = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.headers, self.expect_100_continue = began
        self.scope["headers"] = self.headers
        super().on_headers_complete()

    def _is_idle(self) -> bool:
        """Whether every request has been answered."""
        return self.cycle is None or self.cycle.response_complete

    def _is_small(self) -> bool:
        """Whether this is a usual request to predict, with a small body, and nothing before it is open."""
        if self.url != b"/predict" or self._unusual or self.expect_100_continue:
            return False
        if not self._is_idle():
            return False
        parser, size = self.parser, b""
        if parser.get_method() != b"POST" or parser.get_http_version() != "1.1":
            return False
        if parser.should_upgrade() or not parser.should_keep_alive():
            return False
        for name, value in self.headers:
            if name == b"content-length":
                size = value
            elif name in _UNUSUAL:
                return False
        return size.isdigit() and len(size) < 9 and 0 < int(size) <= SMALL

    def on_message_complete(self) -> None:
        """Called by the parser: the last byte of a request."""
        super().on_message_complete()
        self._began = None

    def send_400_response(self, msg: str) -> None:
        """Called by uvicorn when it cannot read what came."""
        self._refuse(400, msg)

    def on_response_complete(self) -> None:
        """Called when a reply has been written."""
        if self.pipeline or self.transport.is_closing():
            super().on_response_complete()
            return
        # As uvicorn does, but without a timer for each request: `_check` closes what is idle for too long.
        self.server_state.total_requests += 1
        self._idle_since = self.loop.time()
        self.flow.resume_reading()

    def default_head(self) -> bytes:
        """The lines that begin the head of every reply: the date."""
        known, lines = Connection._default_head
        headers = self.server_state.default_headers  # another list every second
        if headers is not known:
            lines = b"".join([b"%b: %b\r\n" % header for header in headers])
            Connection._default_head = headers, lines
        return lines

    def _check(self) -> None:
        """Is the request that is being received late, or has there been none for long?"""
        now = self.loop.time()
        due = now + self.timeout if self._began is None else self._began + self.timeout + self._received / SLOWEST
        if now < due:
            self._watch = self.loop.call_at(due, self._check)
            if self._began is None and self._is_idle() and now - self._idle_since > self.timeout_keep_alive:
                self.transport.close()
        else:
            self._refuse(408, "The request took too long to arrive (--request-timeout).")

    def _refuse(self, status: int, why: str) -> None:
        """Answer if that is still possible, and close."""
        if self._refused or self.transport.is_closing():
            return
        self._refused = True
        if self.cycle is None or not self.cycle.response_started or self.cycle.response_complete:
            body = json.dumps({"error": why}).encode()
            head = (
                f"HTTP/1.1 {status} {http.HTTPStatus(status).phrase}\r\ncontent-type: application/json\r\n"
                f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
            )
            self.transport.write(head.encode() + body)
        self.transport.close()


def limited(timeout: float, most: int) -> Any:
    """The protocol for uvicorn.

    Args:
        timeout: seconds a request may take to arrive, plus those that its size earns.
        most: connections at once.
    """
    return type("LimitedConnection", (Connection,), {"timeout": timeout, "most": most})
