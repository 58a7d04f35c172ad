"""Errors into replies; `statuses.py` knows which error is which status."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Mapping

from starlette.exceptions import HTTPException
from starlette.requests import Request

from .. import logs
from ..errors import BackendError
from ..wire.replies import Failure
from . import statuses
from .reply import Reply

_log = logging.getLogger(__name__)

_RETRY_AFTER = {"Retry-After": "5"}
"""Seconds after which whatever was not available may be."""


def reply_to(error: Exception, path: str) -> Reply:
    """The reply to a call that failed: the message of an error of ours, which is meant for people, or a number."""
    if isinstance(error, BackendError):
        return _reply_to_ours(error)
    number = uuid.uuid4().hex[:8]
    _log.error("Unexpected error %s in %s", number, path[:200], exc_info=error)
    return failure(statuses.FAILED, f"Unexpected error {number}; the server's log has the cause.")


def _reply_to_ours(error: BackendError) -> Reply:
    status = statuses.of_error(type(error))
    if status >= statuses.FAILED:
        _log.error("Answered %d: %s", status, error)
    headers = _RETRY_AFTER if status == statuses.UNAVAILABLE else None
    return failure(status, logs.redact(str(error)), headers)


def failure(status: int, text: str, headers: Mapping[str, str] | None = None) -> Reply:
    """A reply that says what is wrong, in a sentence."""
    return Reply(Failure(error=text), status, headers)


async def on_error(request: Request, error: Exception) -> Reply:
    """Starlette's handler for errors of ours and for faults of this program."""
    return reply_to(error, request.scope["path"])


async def on_http_error(request: Request, error: Exception) -> Reply:
    """Starlette's handler for an unknown path or a wrong method."""
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for them
    path = request.scope["path"][:200]
    text = {
        statuses.NOT_FOUND: f"There is no {path} here.",
        statuses.WRONG_METHOD: f"{path} does not take {request.method}.",
    }.get(error.status_code, error.detail)
    return failure(error.status_code, text, error.headers)
