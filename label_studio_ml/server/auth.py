"""Who may call: basic auth on everything but `/health`; webhooks may show a secret header instead."""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import hmac
import logging
import time

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from ..settings import Settings

_QUIET = 60.0
"""Seconds between two log lines about refused requests."""

_log = logging.getLogger(__name__)


class Auth:
    """ASGI middleware; leaves `scope["authenticated"]` for whoever wants to know."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app, self._settings = app, settings
        self._login = _digests(f"{settings.basic_auth_user}:{settings.basic_auth_pass}")
        self._secrets = _digests(settings.webhook_secret) if settings.webhook_secret else []
        self._warned = False
        self._refused, self._told = 0, -_QUIET

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request through, or answer 401."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        refused = self.refusal(scope)
        if refused is not None and scope["type"] != "http":  # a websocket
            await send({"type": "websocket.close", "code": 1008})
            return
        app = refused or self._app
        await app(scope, receive, send)

    def refusal(self, scope: Scope) -> JSONResponse | None:
        """The reply to a request that does not show the credentials it needs; None when all is well."""
        if not self._settings.auth_required:
            scope["authenticated"] = True
            return None
        webhook = scope["path"] == "/webhook"
        scope["authenticated"] = self._basic(scope) or (webhook and self._secret(scope))
        if scope["authenticated"] or scope["path"] == "/health":
            return None
        self._note(scope)
        if webhook and not self._warned:
            self._warned = True
            _log.error(
                "A webhook was refused because it carries no credentials; its event is lost. Label Studio sends "
                "none by itself: add the header `X-Webhook-Secret` (and start with --webhook-secret), or an "
                "`Authorization` header, to the webhook in the project's settings."
            )
        return JSONResponse(
            {"error": "Wrong or missing user and password."},
            401,
            {"WWW-Authenticate": 'Basic realm="label-studio-ml"'},
        )

    def _basic(self, scope: Scope) -> bool:
        scheme, _, encoded = _header(scope, b"authorization").partition(b" ")
        try:
            given = base64.b64decode(encoded.strip(), validate=True)
        except (binascii.Error, ValueError):
            return False
        return _among(given, self._login) and scheme.lower() == b"basic"

    def _secret(self, scope: Scope) -> bool:
        return _among(_header(scope, b"x-webhook-secret"), self._secrets)

    def _note(self, scope: Scope) -> None:
        """Log refused requests, but neither what they showed nor each of them: whoever guesses sends thousands."""
        self._refused += 1
        now = time.monotonic()
        if now - self._told < _QUIET:
            return
        client = scope.get("client") or ("an unknown address", 0)
        _log.warning(
            "Refused %d request%s with wrong or missing credentials, the last one from %s",
            self._refused,
            "" if self._refused == 1 else "s",
            client[0],
        )
        self._refused, self._told = 0, now


def _header(scope: Scope, name: bytes) -> bytes:
    """A header's value; empty when it is missing, and when it comes twice: a proxy may have checked the other."""
    found = [value for key, value in scope["headers"] if key == name]
    return found[0] if len(found) == 1 else b""


def _digests(text: str) -> list[bytes]:
    """A credential in the forms in which clients send it; digests, whose comparison does not tell its length."""
    forms = [text.encode()]
    with contextlib.suppress(UnicodeEncodeError):  # Label Studio's HTTP client sends it like this
        forms.append(text.encode("latin-1"))
    return [hashlib.sha256(form).digest() for form in dict.fromkeys(forms)]


def _among(given: bytes, digests: list[bytes]) -> bool:
    """Whether what was given is one of the credentials, found out in the same time whichever it is."""
    digest = hashlib.sha256(given).digest()
    matches = [hmac.compare_digest(digest, expected) for expected in digests]
    return any(matches)
