"""Who may call: basic auth on everything but `/health`; webhooks may show a secret header instead."""

from __future__ import annotations

import base64
import binascii
import contextlib
import hmac
import logging

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from ..settings import Settings

_log = logging.getLogger(__name__)


class Auth:
    """ASGI middleware; leaves `scope["authenticated"]` for whoever wants to know."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app, self._settings = app, settings
        expected = f"{settings.basic_auth_user}:{settings.basic_auth_pass}"
        self._expected = [expected.encode()]
        with contextlib.suppress(UnicodeEncodeError):  # Label Studio's HTTP client sends it like this
            self._expected.append(expected.encode("latin-1"))
        self._warned = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request through, or answer 401."""
        if scope["type"] != "http" or not self._settings.auth_required:
            scope["authenticated"] = True
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        scope["authenticated"] = self._basic(headers) or (scope["path"] == "/webhook" and self._secret(headers))
        if scope["authenticated"] or scope["path"] == "/health":
            await self._app(scope, receive, send)
            return
        if scope["path"] == "/webhook" and not self._warned:
            self._warned = True
            _log.error(
                "A webhook was refused because it carries no credentials; its event is lost. Label Studio sends "
                "none by itself: add the header `X-Webhook-Secret` (and start with --webhook-secret), or an "
                "`Authorization` header, to the webhook in the project's settings."
            )
        reply = JSONResponse(
            {"error": "Wrong or missing user and password."},
            401,
            {"WWW-Authenticate": 'Basic realm="label-studio-ml"'},
        )
        await reply(scope, receive, send)

    def _basic(self, headers: Headers) -> bool:
        scheme, _, encoded = headers.get("authorization", "").partition(" ")
        try:
            given = base64.b64decode(encoded.strip(), validate=True)
        except (binascii.Error, ValueError):
            return False
        matches = [hmac.compare_digest(given, expected) for expected in self._expected]
        return any(matches) and scheme.lower() == "basic"

    def _secret(self, headers: Headers) -> bool:
        secret = self._settings.webhook_secret
        given = headers.get("x-webhook-secret", "")
        return bool(secret) and hmac.compare_digest(given.encode(), secret.encode())
