"""Headers that tell browsers what they must not do with a reply. No CORS: no web page of others may call."""

from __future__ import annotations

import base64
import hashlib

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_NO_GUESSING = (b"x-content-type-options", b"nosniff")


class SafeHeaders:
    """ASGI middleware: no reply is taken for something else than what it says it is."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Add the header."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_header(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), _NO_GUESSING]
            await send(message)

        await self._app(scope, receive, with_header)


def of_page(style: str) -> dict[str, str]:
    """Headers of a page that needs nothing but its own style sheet: whatever got into it, it runs no script."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return {
        "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-store",
    }
