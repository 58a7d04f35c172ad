"""What calls there are: a handler's decorator and signature say what the router and the OpenAPI document need.

A handler takes by name what it needs of the request: `message`, its body decoded; `raw`, its body as it came;
`request` itself; and whatever the path and the query name. It returns the struct that the reply holds, or a whole
response.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from types import UnionType
from typing import Any, TypeVar, get_args, get_type_hints

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ..errors import BackendError
from ..wire import requests
from . import limits, statuses
from .reply import Reply

Handler = Callable[..., Awaitable[Any]]
H = TypeVar("H", bound=Handler)
Struct = type[msgspec.Struct]
Schemas = dict[str, dict[str, Any]]

NAME: dict[str, Any] = {
    "type": "string",
    "maxLength": requests.MAX_NAME,
    "pattern": r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]*$",
}
"""The schema of ids in paths and queries."""

TEXT: dict[str, Any] = {"type": "string"}

_MARK = "__operation__"


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One call."""

    method: str
    path: str
    summary: str
    body: Struct | None = None
    """What the request holds as JSON."""
    answer: Struct | None = None
    """What a reply that went well holds as JSON."""
    success: int = statuses.OK
    """The status of a reply that went well."""
    failures: tuple[int, ...] = ()
    """The statuses of errors that only some calls meet."""
    also: Schemas | None = None
    """Further media types of a reply that went well, each with its schema."""
    query: Schemas | None = None
    """The parameters of the query, each with its schema."""
    takes: frozenset[str] = frozenset()
    """The names of the handler's parameters."""


def get(
    path: str,
    summary: str,
    *,
    query: Schemas | None = None,
    also: Schemas | None = None,
    raises: tuple[type[BackendError], ...] = (),
) -> Callable[[H], H]:
    """Mark the handler of a call that changes nothing."""
    return _marked("GET", path, summary, query=query, also=also, failures=tuple(map(statuses.of_error, raises)))


def post(
    path: str,
    summary: str,
    *,
    body: Struct | None = None,
    success: int = statuses.OK,
    raises: tuple[type[BackendError], ...] = (),
) -> Callable[[H], H]:
    """Mark the handler of a call with a body, or of one that changes something.

    Args:
        path: its path.
        summary: what it does, in a sentence.
        body: what it takes, when the handler takes it `raw`.
        success: the status of its reply.
        raises: errors that only some calls meet.
    """
    failures = tuple(map(statuses.of_error, raises))
    return _marked("POST", path, summary, body=body, success=success, failures=failures)


def _marked(method: str, path: str, summary: str, *, body: Struct | None = None, **more: Any) -> Callable[[H], H]:
    def mark(handler: H) -> H:
        hints = get_type_hints(handler)
        answer = _struct(hints.pop("return"))
        operation = Operation(
            method=method,
            path=path,
            summary=summary,
            body=body or hints.get("message"),
            answer=answer,
            takes=frozenset(hints),
            **more,
        )
        setattr(handler, _MARK, operation)
        return handler

    return mark


def _struct(returned: Any) -> Struct | None:
    """The struct among the types that a handler returns."""
    kinds = get_args(returned) if isinstance(returned, UnionType) else (returned,)
    return next((kind for kind in kinds if issubclass(kind, msgspec.Struct)), None)


def operations(group: type[Any]) -> Iterator[Operation]:
    """The calls that a class handles."""
    for handler in vars(group).values():
        if isinstance(operation := getattr(handler, _MARK, None), Operation):
            yield operation


def routes(group: object, limit: int) -> Iterator[Route]:
    """The routes to an object's handlers; `limit`: the most bytes of a body."""
    for name, handler in vars(type(group)).items():
        if isinstance(operation := getattr(handler, _MARK, None), Operation):
            endpoint = _Endpoint(operation, getattr(group, name), limit)
            yield Route(operation.path, endpoint.answer, methods=[operation.method])


@dataclass(frozen=True)
class _Endpoint:
    """Between a request and a handler."""

    operation: Operation
    handler: Handler
    limit: int

    async def answer(self, request: Request) -> Response:
        """Have the request answered."""
        answer = await self.handler(**await self._arguments(request))
        return answer if isinstance(answer, Response) else Reply(answer, self.operation.success)

    async def _arguments(self, request: Request) -> dict[str, Any]:
        operation, query = self.operation, request.query_params
        found: dict[str, Any] = {name: requests.name(text, name) for name, text in request.path_params.items()}
        found |= {name: query[name] for name in operation.query or () if name in query}
        if operation.body is not None:
            raw = await limits.read_body(request.scope, request.receive, self.limit)
            found |= {"raw": raw} if "raw" in operation.takes else {"message": requests.decode(raw, operation.body)}
        if "request" in operation.takes:
            found["request"] = request
        return found
