"""The OpenAPI 3.1 document, built from the same structs that decode requests."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from .. import __version__
from ..wire.replies import Failure
from ..wire.requests import MAX_NAME

Handler = Callable[[Request], Awaitable[Response]] | Callable[[Scope, Receive, Send], Awaitable[Any]]
"""What answers a call."""


@dataclass(frozen=True)
class Operation:
    """What the document says about one call.

    `answer` is what a reply of the first status in `replies` holds as JSON, `also` further media types of it; every
    other reply is an error. `query` names the parameters of the query, each with its schema.
    """

    method: str
    path: str
    summary: str
    body: type[msgspec.Struct] | None = None
    replies: tuple[int, ...] = (200,)
    answer: type[msgspec.Struct] | None = None
    also: tuple[tuple[str, dict[str, Any]], ...] = ()
    query: tuple[tuple[str, dict[str, Any]], ...] = ()


def get(
    path: str,
    summary: str,
    answer: type[msgspec.Struct] | None,
    *,
    also: tuple[tuple[str, dict[str, Any]], ...] = (),
    query: tuple[tuple[str, dict[str, Any]], ...] = (),
    replies: tuple[int, ...] = (200,),
) -> Operation:
    """A call that changes nothing."""
    return Operation("GET", path, summary, None, replies, answer, also, query)


def post(
    path: str,
    summary: str,
    body: type[msgspec.Struct] | None,
    answer: type[msgspec.Struct],
    replies: tuple[int, ...] = (200,),
) -> Operation:
    """A call with a body, or one that changes something."""
    return Operation("POST", path, summary, body, replies, answer)


NAME: dict[str, Any] = {"type": "string", "maxLength": MAX_NAME, "pattern": r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]*$"}
"""The schema of ids in paths and queries."""

TEXT: dict[str, Any] = {"type": "string"}

_MEANING = {
    200: "Done.",
    201: "Stored; training happens in the background.",
    400: "The request is not understood; the error names the field.",
    401: "Wrong or missing credentials.",
    403: "A browser made this request for a web page of another site.",
    404: "There is no such thing.",
    410: "There is no such job (any more).",
    413: "The body is too large.",
    500: "The model failed.",
    503: "Not now; try again later.",
}
_LATER = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "string"}}}
_SIGN_IN = {"WWW-Authenticate": {"description": "How to show who you are.", "schema": {"type": "string"}}}


def document(operations: Sequence[Operation]) -> dict[str, Any]:
    """The document for some operations."""
    both = [part for operation in operations for part in (operation.body, operation.answer)]
    structs: list[Any] = [Failure, *filter(None, both)]
    schemas, components = msgspec.json.schema_components(structs, ref_template="#/components/schemas/{name}")
    schema_of = dict(zip(structs, schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _entry(operation, schema_of)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Machine-learning backend for Label Studio", "version": __version__},
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "basic": {"type": "http", "scheme": "basic"},
                "webhook": {"type": "apiKey", "in": "header", "name": "X-Webhook-Secret"},
            },
        },
        "security": [{"basic": []}, {}],
    }


def _entry(operation: Operation, schema_of: dict[Any, dict[str, Any]]) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "summary": operation.summary,
        "operationId": _identifier(operation),
        "responses": {str(status): _reply(operation, status, schema_of) for status in _replies(operation)},
    }
    names = re.findall(r"{(\w+)}", operation.path)
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {**NAME, "minLength": 1}} for name in names
    ]
    parameters += [{"name": name, "in": "query", "schema": schema} for name, schema in operation.query]
    if parameters:
        entry["parameters"] = parameters
    if operation.path == "/health":
        entry["security"] = []
    if operation.path == "/webhook":
        entry["security"] = [{"basic": []}, {"webhook": []}, {}]
    if operation.body is not None:
        content = {"application/json": {"schema": schema_of[operation.body]}}
        entry["requestBody"] = {"required": True, "content": content}
    return entry


def _identifier(operation: Operation) -> str:
    words = re.sub(r"[^a-z.]+", "_", operation.path).strip("_") or "index"
    return f"{operation.method.lower()}_{words}"


def _replies(operation: Operation) -> list[int]:
    extra = {413} if operation.body is not None else set()
    if operation.method == "POST":
        extra.add(403)
    if operation.body is not None or operation.query or "{" in operation.path:
        extra.add(400)
    if operation.path not in ("/health", "/openapi.json", "/metrics", "/"):
        extra.add(503)  # they need the store
    return sorted({*operation.replies, *extra, *(() if operation.path == "/health" else (401,))})


def _reply(operation: Operation, status: int, schema_of: dict[Any, dict[str, Any]]) -> dict[str, Any]:
    reply: dict[str, Any] = {"description": _MEANING[status]}
    if status != operation.replies[0]:
        reply["content"] = {"application/json": {"schema": schema_of[Failure]}}
    else:
        content = {media: {"schema": schema} for media, schema in operation.also}
        if operation.answer is not None:
            content["application/json"] = {"schema": schema_of[operation.answer]}
        reply["content"] = content
    if status in (401, 503):
        reply["headers"] = _SIGN_IN if status == 401 else _LATER
    return reply
