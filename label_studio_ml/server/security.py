"""Who may call, what browsers must not do, and the header that every reply carries: one layer round everything.

Basic auth on everything but `/health`; webhooks may show a secret header instead. No CORS: a page of another site
must not make a browser call us, which may know the password. Label Studio calls from its server, never a browser.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import functools
import hashlib
import hmac
import logging
import time
from collections.abc import Awaitable, Callable

from starlette.types import Message, Receive, Scope, Send

from ..settings import Settings
from . import errors, statuses
from .reply import Reply

Answering = Callable[[Scope, Receive, Send], Awaitable[int]]
"""An ASGI application that also returns the status it has answered with."""

NO_GUESSING = (b"x-content-type-options", b"nosniff")
"""The header by which no browser takes a reply for something that it is not."""

_QUIET = 60.0
"""Seconds between two log lines about refused requests."""

_POLICY_VIOLATION = 1008
"""The code with which a websocket is closed."""

_log = logging.getLogger(__name__)


class Security:
    """Refuses what must not be, and marks every reply.

    Not a coroutine function itself: `/predict` would pay for another coroutine. Leaves `scope["authenticated"]` for
    whoever wants to know.
    """

    def __init__(self, app: Answering, settings: Settings) -> None:
        self._app = app
        self._authentication = Authentication(settings)

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[int]:
        """Let the request through, or refuse it."""
        if scope["type"] == "lifespan":
            return self._app(scope, receive, send)
        if scope["type"] != "http":  # a websocket
            return _close(send)
        send = functools.partial(_send_marked, send)
        refused = _cross_site(scope) or self._authentication.refusal(scope)
        if refused is not None:
            return _refuse(refused, scope, receive, send)
        return self._app(scope, receive, send)


class Authentication:
    """Knows the credentials, and tells with how many wrong ones somebody tries."""

    def __init__(self, settings: Settings) -> None:
        self._required = settings.auth_required
        self._login = _digests(f"{settings.basic_auth_user}:{settings.basic_auth_pass}")
        self._secrets = _digests(settings.webhook_secret) if settings.webhook_secret else []
        self._webhook_explained = False
        self._refused, self._told = 0, -_QUIET

    def refusal(self, scope: Scope) -> Reply | None:
        """The reply to a request that does not show the credentials it needs; None when all is well."""
        if not self._required:
            scope["authenticated"] = True
            return None
        webhook = scope["path"] == "/webhook"
        scope["authenticated"] = self._basic(scope) or (webhook and self._secret(scope))
        if scope["authenticated"] or scope["path"] == "/health":
            return None
        self._note(scope)
        if webhook and not self._webhook_explained:
            self._webhook_explained = True
            _log.error(
                "A webhook was refused because it carries no credentials; its event is lost. Label Studio sends "
                "none by itself: add the header `X-Webhook-Secret` (and start with --webhook-secret), or an "
                "`Authorization` header, to the webhook in the project's settings."
            )
        return errors.failure(
            statuses.UNAUTHENTICATED,
            "Wrong or missing user and password.",
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


async def _refuse(reply: Reply, scope: Scope, receive: Receive, send: Send) -> int:
    await reply(scope, receive, send)
    return reply.status_code


async def _close(send: Send) -> int:
    await send({"type": "websocket.close", "code": _POLICY_VIOLATION})
    return statuses.CROSS_SITE


async def _send_marked(send: Send, message: Message) -> None:
    """Pass a part of a reply on, with the header that every reply carries."""
    if message["type"] == "http.response.start":
        headers = message.get("headers", ())
        if NO_GUESSING not in headers:
            message["headers"] = [*headers, NO_GUESSING]
    await send(message)


def _cross_site(scope: Scope) -> Reply | None:
    """The reply to what another site makes a browser send; None when all is well."""
    if scope["method"] in ("GET", "HEAD") or not _is_of_another_site(scope):
        return None
    return errors.failure(statuses.CROSS_SITE, "Web pages of other sites must not call this server.")


def _is_of_another_site(scope: Scope) -> bool:
    """Whether a browser says that a page of another origin makes this request."""
    origin = host = None
    for name, value in scope["headers"]:
        if name == b"origin":
            origin = value
        elif name == b"host":
            host = value
    return origin is not None and origin.partition(b"://")[2] != (host or b"")


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
