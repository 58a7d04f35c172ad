"""One call of an ASGI application without a network: what WSGI servers and test clients make of their requests."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Scope

from . import statuses


@dataclass(frozen=True)
class Answered:
    """What the application has answered."""

    status: int
    headers: Headers
    body: bytes


def scope_of(method: str, path: str, query: str, headers: Mapping[str, str], **more: Any) -> Scope:
    """The scope of an HTTP request; `more` is what differs from a request of this computer to itself."""
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode("latin-1"),
        "root_path": "",
        "headers": [
            (name.lower().encode("latin-1"), str(value).encode("latin-1")) for name, value in headers.items()
        ],
        "client": ("127.0.0.1", 0),
        "server": ("localhost", 80),
        **more,
    }


async def ask(app: ASGIApp, scope: Scope, body: bytes) -> Answered:
    """Have a request answered."""
    status, headers = statuses.FAILED, Headers()
    parts: list[bytes] = []
    sent = False

    async def receive() -> Message:
        nonlocal sent
        if sent:  # whoever called waits for the reply
            await asyncio.get_running_loop().create_future()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        nonlocal status, headers
        if message["type"] == "http.response.start":
            status = message["status"]
            headers = Headers(raw=message["headers"])
        else:
            parts.append(message.get("body", b""))

    with contextlib.suppress(Exception):  # a reply was sent for it; Starlette raises it again for servers' logs
        await app(scope, receive, send)
    return Answered(status, headers, b"" if scope["method"] == "HEAD" else b"".join(parts))
