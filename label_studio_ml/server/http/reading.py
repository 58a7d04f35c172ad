"""What a client sends → requests: how large a head may be, and what it says. Knows nothing of replies."""

from __future__ import annotations

import urllib.parse
from dataclasses import dataclass
from typing import Protocol

import httptools
from starlette.types import Scope

from .. import statuses

MAX_HEAD = 64 * 2**10
"""Bytes of the first line and the headers together."""

MAX_HEADERS = 100
"""Headers of one request."""

SMALL = 32 * 2**10
"""Bytes of a body that is waited for before the application is called."""

_STEP = 16 * 2**10
"""Bytes that are parsed at once: how many requests may be in them is not known before."""

_END = b"\r\n\r\n"
"""Of a head."""

_TOO_LARGE = "The headers of the request are too large, or too many."


class ProtocolError(Exception):
    """What came is not a request that is answered here."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason


@dataclass(frozen=True)
class Head:
    """The first line and the headers of one request."""

    scope: Scope
    """What the ASGI scope has of it."""
    length: int | None
    """Bytes of the body; None when it comes in chunks."""
    keep_alive: bool
    """Whether the client wants to use the connection again."""
    expects_continue: bool
    """Whether the client sends the body only when told so."""
    forwarded: bool
    """Whether a proxy says for whom it asks."""
    encoded: bool
    """Whether the body is compressed."""

    @property
    def is_small(self) -> bool:
        """Whether the whole body is waited for."""
        return self.length is not None and self.length <= SMALL and not self.expects_continue


class Listener(Protocol):
    """Who is told what has been read."""

    def has_room(self) -> bool:
        """Whether more requests may be read for now; if not, `Reader.feed` is called when they may."""

    def on_begin(self) -> None:
        """A request has begun."""

    def on_head(self, head: Head) -> None:
        """Its head is there."""

    def on_body(self, part: bytes) -> None:
        """A part of its body is there."""

    def on_end(self) -> None:
        """All of it is there."""


class KnownHeads:
    """Heads of small requests, by their bytes: a client that asks again sends the same one, parsed once."""

    def __init__(self, most: int = 256, longest: int = 2048) -> None:
        self._heads: dict[bytes, Head] = {}
        self._most, self._longest = most, longest
        self.find = self._heads.get

    def add(self, raw: bytes, head: Head) -> None:
        """Keep a head; when there are too many, none of the others."""
        if len(raw) > self._longest:
            return
        if len(self._heads) >= self._most:
            self._heads.clear()
        self._heads[raw] = head


class Reader:
    """Reads the requests of one connection."""

    def __init__(self, listener: Listener, known: KnownHeads) -> None:
        self._listener, self._known = listener, known
        self._parser = httptools.HttpRequestParser(self)
        self.received = 0
        """Bytes that came since the request began which is being received."""
        self.is_between = True
        """Whether no request is being received."""
        self._is_in_head = False
        self._url = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._head: Head | None = None
        """Of the request that was parsed last."""
        self._count = 0
        """Requests that have been parsed to their end."""
        self._plain = b""
        """A head that asks for another protocol, as it is without that."""
        self._held = b""
        """A known head that came without its body."""
        self._unread = b""
        """What came when there was no room."""

    @property
    def has_more(self) -> bool:
        """Whether something has come that was not read for want of room."""
        return bool(self._unread)

    def feed(self, data: bytes) -> None:
        """Read what has come, as far as there is room.

        Raises:
            ProtocolError: it cannot be accepted. Nothing more is read then.
        """
        if self._held:
            data, self._held, self.is_between = self._held + data, b"", True
        elif self._unread:
            data, self._unread = self._unread + data, b""
        if not self.is_between:
            self._parse(data)
        elif not self._take_known(data):
            count, self._head = self._count, None
            self._parse(data)
            if self._count == count + 1 and self.is_between and self._head is not None:
                self._remember(data, self._head)

    def _take_known(self, data: bytes) -> bool:
        """Whether this is one small request, or the head of one, that begins as one did which came before."""
        end = data.find(_END) + len(_END)
        head = self._known.find(data[:end])
        if head is None or not self._listener.has_room():
            return False
        if len(data) - end == head.length:
            self._listener.on_head(head)
            if head.length:
                self._listener.on_body(data[end:])
            self._listener.on_end()
            return True
        if len(data) == end:
            self._held, self.is_between, self.received = data, False, end
            self._listener.on_begin()
            return True
        return False

    def _remember(self, data: bytes, head: Head) -> None:
        """Keep the head, if this was one small request and nothing else."""
        end = data.find(_END) + len(_END)
        if head.is_small and head.keep_alive and len(data) - end == head.length:
            self._known.add(data[:end], head)

    def _parse(self, data: bytes) -> None:
        for start in range(0, len(data), _STEP):
            if not self._listener.has_room():
                self._unread = data[start:]
                return
            part = data[start : start + _STEP]
            self.received += len(part)
            while part:
                try:
                    self._parser.feed_data(part)
                    break
                except httptools.HttpParserUpgrade as upgrade:  # there is no other protocol: a request as usual
                    part = self._plain + part[upgrade.args[0] :]
                except httptools.HttpParserError as error:
                    if isinstance(error.__context__, ProtocolError):
                        raise error.__context__ from None
                    raise ProtocolError(statuses.BAD_REQUEST, "This is not a request of HTTP/1.1.") from None
            if self._is_in_head and self.received > MAX_HEAD:
                raise ProtocolError(statuses.HEAD_TOO_LARGE, _TOO_LARGE)

    # What the parser calls. What is raised here ends its work, and comes out as the context of its error.

    def on_message_begin(self) -> None:
        """The first byte of a request; those that came with it are not counted."""
        self._url, self._headers, self.received = b"", [], 0
        self._is_in_head, self.is_between = True, False
        self._listener.on_begin()

    def on_url(self, url: bytes) -> None:
        """A part of the address."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header; after the body a trailer, which says nothing to us."""
        if self._is_in_head:
            self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """The head is there."""
        self._is_in_head = False
        head = _read(self._parser, self._url, self._headers)
        if self._parser.should_upgrade():  # the parser would not read its body
            self._plain = _without_upgrade(head, self._url)
            return
        self._head = head
        self._listener.on_head(head)

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        self._listener.on_body(body)

    def on_message_complete(self) -> None:
        """The last byte of a request."""
        if self._parser.should_upgrade():
            return
        self._count += 1
        self.is_between = True
        self._listener.on_end()


def _read(parser: httptools.HttpRequestParser, url: bytes, headers: list[tuple[bytes, bytes]]) -> Head:
    size = len(url) + sum([len(name) + len(value) for name, value in headers])
    if size > MAX_HEAD or len(headers) > MAX_HEADERS:
        raise ProtocolError(statuses.HEAD_TOO_LARGE, _TOO_LARGE)
    version, method = parser.get_http_version(), parser.get_method()
    if version not in ("1.0", "1.1") or method == b"CONNECT":
        raise ProtocolError(statuses.BAD_REQUEST, "This is not a request of HTTP/1.1 that is answered here.")
    path, query = _split(url)
    length: int | None = 0
    expects_continue = forwarded = encoded = False
    for name, value in headers:
        if name == b"content-length":
            length = int(value)  # the parser has looked at it
        elif name == b"transfer-encoding":
            length = None
        elif name == b"expect":
            expects_continue = version == "1.1" and value.lower() == b"100-continue"
        elif name in (b"x-forwarded-for", b"x-forwarded-proto"):
            forwarded = True
        elif name == b"content-encoding":
            encoded = True
    scope = {
        "http_version": version,
        "method": method.decode("ascii"),
        "path": urllib.parse.unquote(path.decode("ascii")),
        "raw_path": path,
        "query_string": query,
        "headers": headers,
    }
    keep_alive = version == "1.1" and parser.should_keep_alive()
    return Head(scope, length, keep_alive, expects_continue, forwarded, encoded)


def _split(url: bytes) -> tuple[bytes, bytes]:
    try:
        parsed = httptools.parse_url(url)
        path, query = parsed.path or b"", parsed.query or b""
        path.decode("ascii")
    except (httptools.HttpParserInvalidURLError, UnicodeDecodeError):
        raise ProtocolError(statuses.BAD_REQUEST, "The address in the request cannot be read.") from None
    return path, query


def _without_upgrade(head: Head, url: bytes) -> bytes:
    """A head as it would be if it did not ask for another protocol."""
    first = b"%b %b HTTP/%b" % (head.scope["method"].encode(), url, head.scope["http_version"].encode())
    headers = [b"%b: %b" % header for header in head.scope["headers"] if header[0] != b"upgrade"]
    return b"\r\n".join([first, *headers]) + _END
