"""A reply to a client: one of the structs that the OpenAPI document is built from, as JSON."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from starlette.responses import Response

from . import statuses

_encode = msgspec.json.Encoder().encode


class Reply(Response):
    """A struct as JSON."""

    media_type = "application/json"

    def __init__(
        self, content: msgspec.Struct, status: int = statuses.OK, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(_encode(content), status, headers)
