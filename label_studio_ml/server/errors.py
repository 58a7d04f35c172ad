"""Errors into replies: the one place that knows which error is which status."""

from __future__ import annotations

import logging
import uuid

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

from .. import logs
from ..errors import (
    BackendError,
    BodyTooLarge,
    ClientGone,
    LoadError,
    ModelError,
    NotFound,
    RequestError,
    Unavailable,
)

_log = logging.getLogger(__name__)

_STATUS: list[tuple[type[BackendError], int]] = [
    (BodyTooLarge, 413),
    (NotFound, 404),
    (ClientGone, 499),
    (RequestError, 400),
    (LoadError, 503),
    (ModelError, 500),
    (Unavailable, 503),
]


def reply_to(error: BackendError) -> JSONResponse:
    """The reply for an error of ours; its message is meant for people."""
    status = next((status for kind, status in _STATUS if isinstance(error, kind)), 500)
    if status >= 500:
        _log.error("Answered %d: %s", status, error)
    headers = {"Retry-After": "5"} if status == 503 else None
    return JSONResponse({"error": logs.redact(str(error))}, status, headers)


def reply_to_unexpected(error: Exception, path: str) -> JSONResponse:
    """The reply for a fault of this program: the log has everything, the reply a number to find it by."""
    number = uuid.uuid4().hex[:8]
    _log.error("Unexpected error %s in %s", number, path[:200], exc_info=error)
    return JSONResponse({"error": f"Unexpected error {number}; the server's log has the cause."}, 500)


async def on_backend_error(_request: Request, error: Exception) -> JSONResponse:
    """Handler for errors of ours."""
    assert isinstance(error, BackendError)  # noqa: S101 - registered for them
    return reply_to(error)


async def on_http_error(request: Request, error: Exception) -> JSONResponse:
    """Handler for an unknown path or a wrong method."""
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for them
    text = {
        404: f"There is no {request.scope['path'][:200]} here.",
        405: f"{request.scope['path'][:200]} does not take {request.method}.",
    }.get(error.status_code, error.detail)
    return JSONResponse({"error": text}, error.status_code, error.headers)


async def on_unexpected(request: Request, error: Exception) -> JSONResponse:
    """Handler for faults of this program."""
    return reply_to_unexpected(error, request.scope["path"])
