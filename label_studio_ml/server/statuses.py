"""The one place that knows HTTP status codes: what each means here, and which error of ours becomes which."""

from __future__ import annotations

import http

from ..errors import (
    BackendError,
    BodyTooLarge,
    ClientGone,
    Gone,
    LoadError,
    ModelError,
    NotFound,
    RequestError,
    Unavailable,
)

OK = 200
STORED = 201
NO_CONTENT = 204
NOT_MODIFIED = 304
BAD_REQUEST = 400
UNAUTHENTICATED = 401
CROSS_SITE = 403
NOT_FOUND = 404
WRONG_METHOD = 405
TOO_SLOW = 408
GONE = 410
BODY_TOO_LARGE = 413
HEAD_TOO_LARGE = 431
CLIENT_GONE = 499
FAILED = 500
UNAVAILABLE = 503

MEANING = {
    OK: "Done.",
    STORED: "Stored; training happens in the background.",
    BAD_REQUEST: "The request is not understood; the error names the field.",
    UNAUTHENTICATED: "Wrong or missing credentials.",
    CROSS_SITE: "A browser made this request for a web page of another site.",
    NOT_FOUND: "There is no such thing.",
    GONE: "There is no such job (any more).",
    BODY_TOO_LARGE: "The body is too large.",
    FAILED: "The model failed.",
    UNAVAILABLE: "Not now; try again later.",
}
"""What the OpenAPI document says about a reply with this status."""

_OF_ERRORS: list[tuple[type[BackendError], int]] = [  # the first that fits
    (BodyTooLarge, BODY_TOO_LARGE),
    (NotFound, NOT_FOUND),
    (Gone, GONE),
    (ClientGone, CLIENT_GONE),
    (RequestError, BAD_REQUEST),
    (LoadError, UNAVAILABLE),
    (ModelError, FAILED),
    (Unavailable, UNAVAILABLE),
]


def of_error(kind: type[BackendError]) -> int:
    """The status of a reply to whoever met this kind of error."""
    return next((status for known, status in _OF_ERRORS if issubclass(kind, known)), FAILED)


def phrase(status: int) -> str:
    """The words that stand beside a status, as in `Not Found`; none for those that no standard knows."""
    try:
        return http.HTTPStatus(status).phrase
    except ValueError:
        return ""
