"""How replies look, and how they are sent: no faster than the client takes them."""

from __future__ import annotations

import asyncio
import functools
import json
import re
from collections.abc import Iterable
from typing import Protocol

from starlette.types import Scope

from .. import statuses

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

_SLICE = 256 * 2**10
"""Bytes of a reply that are written at once; others are served between two of them."""

_NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_NOT_IN_VALUES = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")


class HasDefaultHeaders(Protocol):
    """Who knows the headers that every reply begins with."""

    default_headers: list[tuple[bytes, bytes]]


class Outgoing:
    """What a connection sends, no faster than its client takes it."""

    def __init__(self, server: HasDefaultHeaders) -> None:
        self._server = server
        self._first_lines: tuple[object, bytes] = None, b""
        """Headers that every reply begins with, and the lines they make."""
        self._transport = asyncio.Transport()  # until there is one
        self._is_closed = True
        self._writable: asyncio.Future[None] | None = None
        """Set while the client takes less than is sent."""

    def open(self, transport: asyncio.Transport) -> None:
        """Send by this transport from now on."""
        self._transport, self._is_closed = transport, False

    def pause(self) -> None:
        """Write no more for now."""
        self._writable = asyncio.get_running_loop().create_future()

    def resume(self) -> None:
        """Write again."""
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        self._writable = None

    def close(self) -> None:
        """The client has gone: what is written from now on is dropped."""
        self._is_closed = True
        self.resume()

    def first_lines(self) -> bytes:
        """The headers that every reply begins with."""
        known, lines = self._first_lines
        headers = self._server.default_headers  # another list every second, for the date
        if headers is not known:
            lines = b"".join([b"%b: %b\r\n" % header for header in headers])
            self._first_lines = headers, lines
        return lines

    def put(self, data: bytes) -> None:
        """Send something small at once."""
        if not self._is_closed:
            self._transport.write(data)

    async def write(self, head: bytes, body: bytes) -> None:
        """Send, as fast as the client takes it; what is small in one packet."""
        if self._writable is not None:
            await self._writable
        if len(body) <= _SLICE:
            self.put(head + body)
            return
        self.put(head)
        rest = memoryview(body)
        while rest and not self._is_closed:
            self._transport.write(rest[:_SLICE])
            rest = rest[_SLICE:]
            await (self._writable or asyncio.sleep(0))


class Framing:
    """The head of a reply, and how its body is marked off."""

    def __init__(self, status: int, headers: Iterable[tuple[bytes, bytes]], scope: Scope) -> None:
        self.status = status
        self.closes = False
        """Whether the application wants the connection closed after it."""
        self._has_body = scope["method"] != "HEAD" and status not in (statuses.NO_CONTENT, statuses.NOT_MODIFIED)
        self._left: int | None = None
        """Bytes of the body that were announced and have not been sent; None when no length was announced."""
        self._is_chunked = False
        lines = []
        for name, value in headers:
            if not _NAME.fullmatch(name) or _NOT_IN_VALUES.search(value):
                raise RuntimeError(f"A header of the reply is not allowed in HTTP: {name!r}.")
            known = name.lower()
            if known == b"content-length":
                self._left = int(value)
            elif known == b"connection":
                self.closes = b"close" in value.lower()
            if known not in (b"connection", b"transfer-encoding"):  # not for the application to decide
                lines.append(b"%b: %b\r\n" % (known, value))
        if self._has_body and self._left is None:
            if scope["http_version"] == "1.1":
                self._is_chunked = True
                lines.append(b"transfer-encoding: chunked\r\n")
            else:
                self.closes = True
        self.lines = b"".join(lines)

    def frame(self, body: bytes, more: bool) -> bytes:
        """A part of the body as it is sent.

        Raises:
            RuntimeError: it is more than was announced, or it is the last part and less was sent.
        """
        if not self._has_body:
            return b""
        if self._is_chunked:
            chunk = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
            return chunk if more else chunk + b"0\r\n\r\n"
        if self._left is not None:
            self._left -= len(body)
            if self._left < 0 or (self._left and not more):
                raise RuntimeError("The body of the reply is not as long as its Content-Length.")
        return body


@functools.cache
def status_line(status: int) -> bytes:
    """The first line of a reply."""
    return b"HTTP/1.1 %d %b\r\n" % (status, statuses.phrase(status).encode())


def refusal(status: int, reason: str) -> bytes:
    """A whole reply that says why there is no other; the connection ends after it."""
    body = json.dumps({"error": reason}).encode()
    head = b"content-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % len(body)
    return status_line(status) + head + body
