"""What `init_app` returns: one object that ASGI servers, WSGI servers, `.run()` and authors' tests can use.

Nothing starts before the first request, and every process that serves starts its own: gunicorn forks after it
has imported the application.
"""

from __future__ import annotations

import asyncio
import atexit
import base64
import contextlib
import http
import json
import os
import sys
import tempfile
import threading
import weakref
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import anyio.from_thread
from starlette.datastructures import Headers
from starlette.types import ASGIApp

from .. import settings as settings_module
from ..author import source as sources
from ..settings import Settings
from .app import Server, create_app, running

_DIGITS = 19
"""Digits of a number that no body's length reaches."""

_PATIENCE = 5.0
"""Seconds that the end of a process waits for what should be over at once."""


class BackendApp:
    """A backend as an application. `model_class` and `model_kwargs` say what it serves."""

    def __init__(self, model_class: type[Any], given: dict[str, Any], kwargs: dict[str, Any]) -> None:
        self.model_class = model_class
        self.model_kwargs = kwargs
        self.config: dict[str, Any] = {}
        self._given = given
        self._pid = self._wsgi_pid = 0
        self._server: Server
        self._asgi: ASGIApp | None = None
        self._wsgi: Callable[..., Iterable[bytes]] | None = None
        self._lock = threading.Lock()

    def settings(self, **more: Any) -> Settings:
        """The settings in force: what is given, else the environment, else the defaults."""
        module = sys.modules.get(self.model_class.__module__)
        folder = Path(getattr(module, "__file__", None) or "model.py").absolute().parent
        return settings_module.load(**{"default_model_dir": folder / "model-data", **self._given, **more})

    def __call__(self, *args: Any) -> Any:
        """Serve ASGI 3 (scope, receive, send), ASGI 2 (scope) or WSGI (environ, start_response)."""
        if len(args) == 2:
            return self._as_wsgi()(*args)
        if len(args) == 1:
            return lambda receive, send: self._as_asgi()(args[0], receive, send)
        return self._as_asgi()(*args)

    def run(self, host: str | None = None, port: int | None = None, debug: bool = False, **_other: Any) -> None:
        """Serve until interrupted."""
        from . import serve

        source = sources.of_class(self.model_class)
        settings = self.settings(host=host, port=port, debug=debug or None)
        serve.run(settings, source or self.model_class, self.model_kwargs)

    def test_client(self) -> TestClient:
        """A client for tests; the model runs in the calling process, so that it can be patched."""
        return TestClient(self)

    def _as_asgi(self) -> ASGIApp:
        with self._lock:
            if self._asgi is None or self._pid != os.getpid():
                source = sources.of_class(self.model_class)
                self._server = Server(self.settings(), source or self.model_class, self.model_kwargs)
                self._asgi, self._pid = create_app(self._server), os.getpid()
            return self._asgi

    def _as_wsgi(self) -> Callable[..., Iterable[bytes]]:
        app = self._as_asgi()
        with self._lock:
            if self._wsgi is None or self._wsgi_pid != os.getpid():
                self._wsgi, self._wsgi_pid = _wsgi(app, self._server), os.getpid()
            return self._wsgi


def _wsgi(app: ASGIApp, server: Server) -> Callable[..., Iterable[bytes]]:
    """The application on an event loop of its own, on a thread of its own, started now and for good."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="asgi", daemon=True)
    thread.start()
    asyncio.run_coroutine_threadsafe(server.start(), loop).result()
    pid = os.getpid()

    def end() -> None:
        if os.getpid() != pid:
            return  # this is a copy of the process, without the thread
        try:
            stopping = asyncio.run_coroutine_threadsafe(server.stop(), loop)
            stopping.result(server.settings.shutdown_timeout + _PATIENCE)
        except Exception:  # noqa: BLE001 - whatever it is, nothing may survive this process
            server.close()
        loop.call_soon_threadsafe(loop.stop)
        thread.join(_PATIENCE)

    # With atexit it would be too late: the thread pools that the event loop needs are closed by then.
    getattr(threading, "_register_atexit", atexit.register)(end)

    def serve(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        body = _wsgi_body(environ, server.settings.max_body_size)
        response = asyncio.run_coroutine_threadsafe(_ask(app, _wsgi_scope(environ), body), loop).result()
        start_response(response.status, response.headers.items())
        return [response.data]

    return serve


def _wsgi_body(environ: dict[str, Any], limit: int) -> bytes:
    """The request's body; of one larger than `limit` only so much that the application sees it is too large."""
    announced = environ.get("CONTENT_LENGTH") or ""
    if announced.isascii() and announced.isdigit() and len(announced) < _DIGITS:
        length = int(announced)
        return bytes(environ["wsgi.input"].read(length)) if length <= limit else b""
    if environ.get("wsgi.input_terminated") or environ.get("HTTP_TRANSFER_ENCODING"):
        return bytes(environ["wsgi.input"].read(limit + 1))
    return b""


def _wsgi_scope(environ: dict[str, Any]) -> dict[str, Any]:
    headers = {name[5:]: value for name, value in environ.items() if name.startswith("HTTP_")}
    headers |= {name: environ[name] for name in ("CONTENT_TYPE", "CONTENT_LENGTH") if environ.get(name)}
    root = environ.get("SCRIPT_NAME", "").encode("latin-1").decode(errors="replace")
    path = environ.get("PATH_INFO", "").encode("latin-1").decode(errors="replace")
    return _scope(
        environ["REQUEST_METHOD"],
        root + path,
        environ.get("QUERY_STRING", ""),
        {name.replace("_", "-"): value for name, value in headers.items()},
        scheme=environ["wsgi.url_scheme"],
        root_path=root,
        client=(environ.get("REMOTE_ADDR", ""), int(environ.get("REMOTE_PORT") or 0)),
        server=(environ["SERVER_NAME"], int(environ["SERVER_PORT"])),
    )


def _scope(method: str, path: str, query: str, headers: Mapping[str, str], **more: Any) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode("latin-1"),
        "root_path": "",
        "headers": [
            (name.lower().encode("latin-1"), str(value).encode("latin-1")) for name, value in headers.items()
        ],
        "client": ("127.0.0.1", 0),
        "server": ("localhost", 80),
        **more,
    }


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
        return f"{self.status_code} {http.HTTPStatus(self.status_code).phrase}"

    def __repr__(self) -> str:
        return f"<TestResponse {self.status_code} {self.data[:200]!r}>"


class TestClient:
    """Calls a backend without a network; used as it is or in a `with` block.

    State lives in `MODEL_DIR` if that is set, else in a folder that is gone with the client.
    """

    __test__ = False

    def __init__(self, app: BackendApp) -> None:
        self._app = app
        self._exit = contextlib.ExitStack()
        self._asgi: ASGIApp | None = None
        self._portal: Any = None
        self._lock = threading.Lock()
        self._finalizer = weakref.finalize(self, self._exit.close)

    def __enter__(self) -> TestClient:  # noqa: PYI034 - Self needs Python 3.11
        """Start now."""
        self._start()
        return self

    def __exit__(self, *_exc: object) -> None:
        """Stop."""
        self.close()

    def close(self) -> None:
        """Stop the backend."""
        self._exit.close()
        self._asgi = self._portal = None

    def get(self, path: str, **options: Any) -> TestResponse:
        """Call with GET; see `open`."""
        return self.open(path, method="GET", **options)

    def post(self, path: str, **options: Any) -> TestResponse:
        """Call with POST; see `open`."""
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
        self._start()
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
        scope = _scope(method, parts.path, query or parts.query, sent)
        response: TestResponse = self._portal.call(_ask, self._asgi, scope, body)
        return response

    def _start(self) -> None:
        with self._lock:
            if self._asgi is None:
                self._asgi = self._started()

    def _started(self) -> ASGIApp:
        folder = self._exit.enter_context(
            tempfile.TemporaryDirectory(prefix="label-studio-ml-", ignore_cleanup_errors=True)
        )
        settings = self._app.settings(default_model_dir=Path(folder))
        server = Server(settings, self._app.model_class, self._app.model_kwargs)
        self._portal = self._exit.enter_context(anyio.from_thread.start_blocking_portal())
        self._exit.enter_context(self._portal.wrap_async_context_manager(running(server)))
        return create_app(server)


async def _ask(app: ASGIApp, scope: dict[str, Any], body: bytes) -> TestResponse:
    status, headers = 500, Headers()
    parts: list[bytes] = []
    sent = False

    async def receive() -> dict[str, Any]:
        nonlocal sent
        if sent:  # whoever called waits for the reply
            await asyncio.get_running_loop().create_future()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        nonlocal status, headers
        if message["type"] == "http.response.start":
            status = message["status"]
            headers = Headers(raw=message["headers"])
        else:
            parts.append(message.get("body", b""))

    with contextlib.suppress(Exception):  # a reply was sent for it; Starlette raises it again for servers' logs
        await app(scope, receive, send)
    return TestResponse(status, headers, b"" if scope["method"] == "HEAD" else b"".join(parts))


def _json_bytes(value: Any) -> bytes:
    return json.dumps(value).encode()
