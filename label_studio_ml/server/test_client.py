"""A client for authors' own tests: calls a backend without a network, and reads replies as Flask's are read."""

from __future__ import annotations

import base64
import contextlib
import json
import tempfile
import threading
import weakref
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import anyio.from_thread
from anyio.from_thread import BlockingPortal
from starlette.datastructures import Headers
from starlette.types import ASGIApp

from . import asgi, statuses

RunApp = Callable[[Path], AbstractAsyncContextManager[ASGIApp]]
"""Runs an application; the folder is for its state where nothing else is set."""


class TestResponse:
    """A reply, read the way Flask's are."""

    __test__ = False  # it is not a test, whatever its name says to pytest

    def __init__(self, status_code: int, headers: Headers, data: bytes) -> None:
        self.status_code, self.headers, self.data = status_code, headers, data

    @property
    def text(self) -> str:
        """The body as text."""
        return self.data.decode()

    @property
    def json(self) -> Any:
        """The body's JSON."""
        return self.get_json()

    def get_json(self, *_args: Any, **_kwargs: Any) -> Any:
        """The body's JSON."""
        return json.loads(self.data)

    def get_data(self, as_text: bool = False) -> Any:
        """The body, as bytes or as text."""
        return self.text if as_text else self.data

    @property
    def content_type(self) -> str:
        """The body's type."""
        return self.headers.get("content-type", "")

    @property
    def mimetype(self) -> str:
        """The body's type, without parameters."""
        return self.content_type.partition(";")[0]

    @property
    def status(self) -> str:
        """The status as text, as in `200 OK`."""
        return f"{self.status_code} {statuses.phrase(self.status_code)}"

    def __repr__(self) -> str:
        return f"<TestResponse {self.status_code} {self.data[:200]!r}>"


class TestClient:
    """Calls a backend without a network; used as it is or in a `with` block.

    State lives in `MODEL_DIR` if that is set, else in a folder that is gone with the client.
    """

    __test__ = False

    def __init__(self, run_app: RunApp) -> None:
        self._run_app = run_app
        self._exit = contextlib.ExitStack()
        self._running: tuple[BlockingPortal, ASGIApp] | None = None
        self._lock = threading.Lock()
        self._finalizer = weakref.finalize(self, self._exit.close)

    def __enter__(self) -> TestClient:  # noqa: PYI034 - Self needs Python 3.11
        """Start now."""
        self._started()
        return self

    def __exit__(self, *_exc: object) -> None:
        """Stop."""
        self.close()

    def close(self) -> None:
        """Stop the backend."""
        self._exit.close()
        self._running = None

    def get(self, path: str, **options: Any) -> TestResponse:
        """Call with GET; the options are those of `open`."""
        return self.open(path, method="GET", **options)

    def post(self, path: str, **options: Any) -> TestResponse:
        """Call with POST; the options are those of `open`."""
        return self.open(path, method="POST", **options)

    def open(
        self,
        path: str,
        *,
        method: str = "GET",
        data: str | bytes | None = None,
        json: Any = None,
        content_type: str | None = None,
        headers: Mapping[str, str] | None = None,
        query_string: Mapping[str, Any] | str | None = None,
        auth: tuple[str, str] | None = None,
    ) -> TestResponse:
        """Send a request.

        Args:
            path: as in `/predict`, perhaps with a query.
            method: HTTP method.
            data: the body.
            json: the body, as something to be written as JSON.
            content_type: of the body.
            headers: further headers.
            query_string: the query, as text or as a mapping.
            auth: user and password.
        """
        portal, app = self._started()
        sent = {name.lower(): value for name, value in (headers or {}).items()}
        if json is not None:
            data = _json_bytes(json)
            content_type = content_type or "application/json"
        if content_type:
            sent["content-type"] = content_type
        if auth:
            sent["authorization"] = "Basic " + base64.b64encode(":".join(auth).encode()).decode()
        body = data.encode() if isinstance(data, str) else data or b""
        sent.setdefault("content-length", str(len(body)))
        query = query_string if isinstance(query_string, str) else urlencode(query_string or {})
        parts = urlsplit(path)
        scope = asgi.scope_of(method, parts.path, query or parts.query, sent)
        answered = portal.call(asgi.ask, app, scope, body)
        return TestResponse(answered.status, answered.headers, answered.body)

    def _started(self) -> tuple[BlockingPortal, ASGIApp]:
        with self._lock:
            if self._running is None:
                folder = self._exit.enter_context(
                    tempfile.TemporaryDirectory(prefix="label-studio-ml-", ignore_cleanup_errors=True)
                )
                portal = self._exit.enter_context(anyio.from_thread.start_blocking_portal())
                running = portal.wrap_async_context_manager(self._run_app(Path(folder)))
                self._running = portal, self._exit.enter_context(running)
            return self._running


def _json_bytes(value: Any) -> bytes:
    return json.dumps(value).encode()
