"""What browsers must not do: call for web pages of others, or take a reply for something it is not. No CORS."""

from __future__ import annotations

import base64
import hashlib

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

WHOLE = "label_studio_ml.whole"
"""Where a scope has its request, if the server took the short way; see `connections._Small`."""

NO_GUESSING = (b"x-content-type-options", b"nosniff")


class Browsers:
    """ASGI middleware. Label Studio calls from its server and is never concerned."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse what another site makes a browser send, and mark every reply."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_header(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = message.get("headers", ())
                message["headers"] = headers if NO_GUESSING in headers else [*headers, NO_GUESSING]
            await send(message)

        app = refusal(scope) or self._app
        await app(scope, receive, with_header)


def refusal(scope: Scope) -> JSONResponse | None:
    """The reply to what a browser must not do; None when all is well."""
    if scope["method"] in ("GET", "HEAD") or not _is_of_another_site(scope):
        return None
    return JSONResponse({"error": "Web pages of other sites must not call this server."}, 403)


def _is_of_another_site(scope: Scope) -> bool:
    """Whether a browser says that a page of another origin makes this request; it may know the password."""
    origin = host = None
    for name, value in scope["headers"]:
        if name == b"origin":
            origin = value
        elif name == b"host":
            host = value
    return origin is not None and origin.partition(b"://")[2] != (host or b"")


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
