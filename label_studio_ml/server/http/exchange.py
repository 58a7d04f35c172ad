"""One request and its reply: what an ASGI application is called with."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from starlette.types import ASGIApp, Message, Scope

from .. import statuses
from .writing import CONTINUE, Framing, Outgoing, refusal, status_line

if TYPE_CHECKING:
    from .reading import Head

WHOLE = "label_studio_ml.whole"
"""Where a scope has its `Exchange`, if the body was there, whole and plain, when the application was called."""

_log = logging.getLogger(__name__)


class Exchange:
    """One request and its reply.

    An application that knows of it (`scope[WHOLE]`) takes the body with `take` and answers with `reply`.
    """

    __slots__ = (
        "_changed",
        "_framing",
        "_is_gone",
        "_is_taken",
        "_on_end",
        "_on_taken",
        "_outgoing",
        "_owes_continue",
        "_parts",
        "_task",
        "head",
        "is_answered",
        "is_begun",
        "is_received",
        "keep_alive",
        "scope",
        "size",
        "status",
    )

    def __init__(
        self,
        head: Head,
        scope: Scope,
        outgoing: Outgoing,
        on_taken: Callable[[], None],  # a part of a body that is still coming has been taken
        on_end: Callable[[], None],  # all of the reply has been written
    ) -> None:
        self.head, self.scope = head, scope
        self._outgoing, self._on_taken, self._on_end = outgoing, on_taken, on_end
        self.keep_alive = head.keep_alive
        """Whether the connection is used again after this reply."""
        self.size = 0
        """Bytes of the body that have come and were not taken."""
        self.is_received = False
        """Whether the whole request is there."""
        self.is_begun = False
        """Whether some of the reply has been written."""
        self.is_answered = False
        """Whether all of the reply has been written."""
        self.status = 0
        """Of the reply; 0 before there is one."""
        self._parts: list[bytes] = []
        self._is_taken = False
        self._is_gone = False
        self._owes_continue = head.expects_continue
        self._framing: Framing | None = None
        self._changed: asyncio.Event | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def is_ready(self) -> bool:
        """Whether the application is to be called: a small body is waited for."""
        return self._task is None and (self.is_received or not self.head.is_small)

    def start(self, app: ASGIApp, loop: asyncio.AbstractEventLoop, tasks: set[asyncio.Task[None]]) -> None:
        """Call the application, in a task that is among these while it runs."""
        if self.is_received and not self.head.encoded:
            self.scope[WHOLE] = self
        self._task = task = loop.create_task(self._run(app, tasks))
        tasks.add(task)

    def feed(self, part: bytes) -> None:
        """More of the body has come."""
        if self.is_answered or self._is_gone:
            return
        self._parts.append(part)
        self.size += len(part)
        self._wake()

    def complete(self) -> None:
        """The whole request has come."""
        self.is_received = True
        self._wake()

    def disconnect(self) -> None:
        """The client has gone, or gets another answer: this one goes nowhere."""
        self._is_gone = True
        self._drop_body()

    def close_after(self) -> None:
        """Use the connection for nothing else."""
        self.keep_alive = False

    def take(self) -> bytes:
        """What has come of the body."""
        parts, self._parts, size, self.size = self._parts, [], self.size, 0
        self._is_taken = self.is_received
        if not self.is_received and size:
            self._on_taken()
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def receive(self) -> Message:
        """Called by the application: the body, then the end of the connection or of the reply."""
        while not (self.is_answered or self._is_gone):
            if self._parts or (self.is_received and not self._is_taken):
                return {"type": "http.request", "body": self.take(), "more_body": not self.is_received}
            if self._owes_continue and not self.is_received:
                self._owes_continue = False
                self._outgoing.put(CONTINUE)
            if self._changed is None:
                self._changed = asyncio.Event()
            self._changed.clear()
            await self._changed.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """Called by the application: the head of the reply, then its body."""
        if self._is_gone:
            return
        kind, framing = message["type"], self._framing
        if framing is None and kind == "http.response.start":
            self._framing = Framing(message["status"], message.get("headers", ()), self.scope)
        elif framing is not None and kind == "http.response.body" and not self.is_answered:
            more = message.get("more_body", False)
            body = framing.frame(message.get("body", b""), more)
            lines = b"" if self.is_begun else self._head(framing)
            await self._write(lines, body, more)
        else:
            raise RuntimeError(f"The message {kind!r} is not what an ASGI application sends now.")

    async def reply(self, headers: bytes, body: bytes) -> None:
        """Send a reply of status 200; of its headers, those that are the same for all such replies."""
        if self._is_gone:
            return
        self.status = statuses.OK
        ending = b"\r\n" if self.keep_alive else b"connection: close\r\n\r\n"
        head = b"HTTP/1.1 200 OK\r\n%b%bcontent-length: %d\r\n%b" % (
            self._outgoing.first_lines(),
            headers,
            len(body),
            ending,
        )
        await self._write(head, body, False)

    def _head(self, framing: Framing) -> bytes:
        if framing.closes or (self._owes_continue and not self.is_received):  # the body may never come
            self.keep_alive = False
        self.status = framing.status
        ending = b"\r\n" if self.keep_alive else b"connection: close\r\n\r\n"
        return status_line(framing.status) + self._outgoing.first_lines() + framing.lines + ending

    async def _write(self, head: bytes, body: bytes, more: bool) -> None:
        self.is_begun = True
        await self._outgoing.write(head, body)
        if not more and not self._is_gone:
            self._end()

    def _end(self) -> None:
        self.is_answered = True
        self._drop_body()
        self._on_end()

    def _drop_body(self) -> None:
        self._parts, self.size = [], 0
        self._wake()

    def _wake(self) -> None:
        if self._changed is not None:
            self._changed.set()

    async def _run(self, app: ASGIApp, tasks: set[asyncio.Task[None]]) -> None:
        try:
            await app(self.scope, self.receive, self.send)
            if not (self.is_answered or self._is_gone):
                raise RuntimeError("The application has not answered.")
        except asyncio.CancelledError:
            self._fail(statuses.UNAVAILABLE, "The server is stopping.")
            raise
        except Exception:  # noqa: BLE001 - whatever it is, the client gets an answer
            _log.exception("Exception in ASGI application")
            self._fail(statuses.FAILED, "Internal error.")
        finally:
            if self._task is not None:  # a callback of the task would be another turn of the loop
                tasks.discard(self._task)
            self.scope.pop(WHOLE, None)  # what refers to itself stays in memory

    def _fail(self, status: int, reason: str) -> None:
        """Say so if that is still possible; else the end of the connection does."""
        if self.is_answered or self._is_gone:
            return
        self.keep_alive = False
        if not self.is_begun:
            self.status = status
            self._outgoing.put(refusal(status, reason))
        self._end()
