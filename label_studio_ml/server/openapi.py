"""The OpenAPI 3.1 document, built from the same structs that decode requests and that handlers return."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from .. import __version__
from ..wire.replies import Failure
from . import statuses
from .operations import NAME, Operation

_LATER = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "string"}}}
_SIGN_IN = {"WWW-Authenticate": {"description": "How to show who you are.", "schema": {"type": "string"}}}
_WITHOUT_STORE = ("/health", "/openapi.json", "/metrics", "/")


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
        "responses": {str(status): _reply(operation, status, schema_of) for status in _statuses(operation)},
    }
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {**NAME, "minLength": 1}}
        for name in re.findall(r"{(\w+)}", operation.path)
    ]
    parameters += [
        {"name": name, "in": "query", "schema": schema} for name, schema in (operation.query or {}).items()
    ]
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


def _statuses(operation: Operation) -> list[int]:
    found = {operation.success, *operation.failures}
    if operation.body is not None:
        found.add(statuses.BODY_TOO_LARGE)
    if operation.method == "POST":
        found.add(statuses.CROSS_SITE)
    if operation.body is not None or operation.query or "{" in operation.path:
        found.add(statuses.BAD_REQUEST)
    if operation.path not in _WITHOUT_STORE:
        found.add(statuses.UNAVAILABLE)
    if operation.path != "/health":
        found.add(statuses.UNAUTHENTICATED)
    return sorted(found)


def _reply(operation: Operation, status: int, schema_of: dict[Any, dict[str, Any]]) -> dict[str, Any]:
    reply: dict[str, Any] = {"description": statuses.MEANING[status]}
    if status != operation.success:
        reply["content"] = {"application/json": {"schema": schema_of[Failure]}}
    else:
        content = {media: {"schema": schema} for media, schema in (operation.also or {}).items()}
        if operation.answer is not None:
            content["application/json"] = {"schema": schema_of[operation.answer]}
        reply["content"] = content
    if status == statuses.UNAUTHENTICATED:
        reply["headers"] = _SIGN_IN
    if status == statuses.UNAVAILABLE:
        reply["headers"] = _LATER
    return reply
