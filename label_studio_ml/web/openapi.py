"""The OpenAPI 3.1 document, built from the same structs that decode requests."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from .. import __version__


@dataclass(frozen=True)
class Operation:
    """What the document says about one call."""

    method: str
    path: str
    summary: str
    body: type[msgspec.Struct] | None = None
    replies: tuple[int, ...] = (200,)


_MEANING = {
    200: "Done.",
    201: "Stored; training happens in the background.",
    400: "The body is not understood; the error names the field.",
    401: "Wrong or missing credentials.",
    404: "There is no such thing.",
    410: "There is no such job (any more).",
    413: "The body is too large.",
    500: "The model failed.",
    503: "Not now; try again later.",
}


def document(operations: Sequence[Operation]) -> dict[str, Any]:
    """The document for some operations."""
    bodies = [operation.body for operation in operations if operation.body is not None]
    schemas, components = msgspec.json.schema_components(bodies, ref_template="#/components/schemas/{name}")
    schema_of = dict(zip(bodies, schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        open_to_all = operation.path == "/health"
        entry: dict[str, Any] = {
            "summary": operation.summary,
            "operationId": _identifier(operation),
            "responses": {str(status): _reply(status) for status in _replies(operation, open_to_all)},
        }
        if names := re.findall(r"{(\w+)}", operation.path):
            schema = {"type": "string"}
            entry["parameters"] = [
                {"name": name, "in": "path", "required": True, "schema": schema} for name in names
            ]
        if open_to_all:
            entry["security"] = []
        if operation.body is not None:
            content = {"application/json": {"schema": schema_of[operation.body]}}
            entry["requestBody"] = {"required": True, "content": content}
        paths.setdefault(operation.path, {})[operation.method.lower()] = entry
    return {
        "openapi": "3.1.0",
        "info": {"title": "Machine-learning backend for Label Studio", "version": __version__},
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"basic": {"type": "http", "scheme": "basic"}},
        },
        "security": [{"basic": []}, {}],
    }


def _identifier(operation: Operation) -> str:
    words = re.sub(r"[^a-z.]+", "_", operation.path).strip("_") or "index"
    return f"{operation.method.lower()}_{words}"


def _replies(operation: Operation, open_to_all: bool) -> list[int]:
    extra = {400, 413, 503} if operation.body is not None else set()
    return sorted({*operation.replies, *extra, *(() if open_to_all else (401,))})


def _reply(status: int) -> dict[str, Any]:
    return {"description": _MEANING[status]}
