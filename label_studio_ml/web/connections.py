"""What a client may do to a connection before a request exists: how many, how large a head, how slowly it sends.

uvicorn's own HTTP protocol has no such limits when it parses with httptools. Other servers (gunicorn) have theirs.
"""

from __future__ import annotations

import asyncio
import http
import json
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD = 64 * 2**10
"""Bytes of the first line and the headers together."""

MAX_HEADERS = 100
"""Headers of one request."""

SLOWEST = 64 * 2**10
"""Bytes that earn a request another second."""


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

    def flush(self) -> None:
        """Send the head by itself."""
        if self._head:
            self._transport.write(self._head)
            self._head = b""

    def close(self) -> None:
        """Called by uvicorn: what was written before is still sent."""
        self.flush()
        self._transport.close()


class Connection(HttpToolsProtocol):
    """One connection of a client. `limited` sets the limits."""

    timeout: ClassVar[float]
    most: ClassVar[int]

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Called by the loop: take it, or say that there are too many."""
        super().connection_made(_Joined(transport, self.loop))  # type: ignore[arg-type]
        self._refused = False
        self._began: float | None = self.loop.time()
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
        """Called by the parser: the first byte of a request."""
        super().on_message_begin()
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
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Called by the parser: the last byte of a request."""
        super().on_message_complete()
        self._began = None

    def send_400_response(self, msg: str) -> None:
        """Called by uvicorn when it cannot read what came."""
        self._refuse(400, msg)

    def _check(self) -> None:
        """Is the request that is being received late?"""
        now = self.loop.time()
        due = now + self.timeout if self._began is None else self._began + self.timeout + self._received / SLOWEST
        if now < due:
            self._watch = self.loop.call_at(due, self._check)
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
