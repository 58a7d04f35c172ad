"""What `init_app` returns: one object that ASGI servers, WSGI servers, `.run()` and authors' tests can use.

Nothing starts before the first request, and every process that serves starts its own: gunicorn forks after it
has imported the application.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import functools
import os
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

from starlette.routing import Router
from starlette.types import ASGIApp, Receive, Scope, Send

from .. import settings as settings_module
from ..author import source as sources
from ..processes.messages import Source
from ..settings import Settings
from . import asgi, errors, statuses
from .app import create_app, running_app
from .services import Services, open_services
from .test_client import TestClient

_DIGITS = 19
"""Digits of a number that no body's length reaches."""

_PATIENCE = 5.0
"""Seconds that the end of a process waits for what should be over at once."""

WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class BackendApp:
    """A backend as an application."""

    def __init__(self, model_class: type[Any], given: dict[str, Any], kwargs: dict[str, Any]) -> None:
        self.model_class = model_class
        """What it serves."""
        self.model_kwargs = kwargs
        """Arguments for the class's constructor."""
        self.config: dict[str, Any] = {}
        self._given = given
        self._pid = 0
        self._asgi: ASGIApp | None = None
        self._wsgi: WsgiApp | None = None
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

        settings = self.settings(host=host, port=port, debug=debug or None)
        serve.run(settings, self._source(), self.model_kwargs)

    def test_client(self) -> TestClient:
        """A client for tests; the model runs in the calling process, so that it can be patched."""

        def run_app(folder: Path) -> AbstractAsyncContextManager[ASGIApp]:
            return running_app(self.settings(default_model_dir=folder), self.model_class, self.model_kwargs)

        return TestClient(run_app)

    def _source(self) -> Source | type[Any]:
        return sources.of_class(self.model_class) or self.model_class

    def _as_asgi(self) -> ASGIApp:
        with self._lock:
            self._forget_other_process()
            if self._asgi is None:
                self._asgi = _WithLifespan(
                    functools.partial(running_app, self.settings(), self._source(), self.model_kwargs)
                )
            return self._asgi

    def _as_wsgi(self) -> WsgiApp:
        with self._lock:
            self._forget_other_process()
            if self._wsgi is None:
                self._wsgi = _wsgi(self.settings(), self._source(), self.model_kwargs)
            return self._wsgi

    def _forget_other_process(self) -> None:
        if self._pid != os.getpid():
            self._asgi, self._wsgi, self._pid = None, None, os.getpid()


class _WithLifespan:
    """An application that runs as long as the lifespan of the ASGI server that calls it."""

    def __init__(self, run_app: Callable[[], AbstractAsyncContextManager[ASGIApp]]) -> None:
        self._run_app = run_app
        self._app: ASGIApp = _not_started
        self._lifespan = Router(lifespan=self._run)

    @contextlib.asynccontextmanager
    async def _run(self, _app: Any) -> AsyncIterator[None]:
        async with self._run_app() as self._app:
            yield
        self._app = _not_started

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or start and stop."""
        app = self._lifespan if scope["type"] == "lifespan" else self._app
        await app(scope, receive, send)


async def _not_started(scope: Scope, receive: Receive, send: Send) -> None:
    refused = errors.failure(
        statuses.UNAVAILABLE,
        "The backend is not running: the server that it was given to sends no ASGI lifespan events.",
    )
    await refused(scope, receive, send)


def _wsgi(settings: Settings, source: Source | type[Any], kwargs: dict[str, Any]) -> WsgiApp:
    """The application on an event loop of its own, on a thread of its own, started now and for good."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="asgi", daemon=True)
    thread.start()
    stack = contextlib.AsyncExitStack()
    opening = stack.enter_async_context(open_services(settings, source, kwargs))
    try:
        services = asyncio.run_coroutine_threadsafe(opening, loop).result()
    except BaseException:
        loop.call_soon_threadsafe(loop.stop)
        raise
    _end_with_process(services, stack, loop, thread)
    app = create_app(services)

    def serve(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        body = _body(environ, settings.max_body_size)
        answered = asyncio.run_coroutine_threadsafe(asgi.ask(app, _scope(environ), body), loop).result()
        start_response(f"{answered.status} {statuses.phrase(answered.status)}", answered.headers.items())
        return [answered.body]

    return serve


def _end_with_process(
    services: Services, stack: contextlib.AsyncExitStack, loop: asyncio.AbstractEventLoop, thread: threading.Thread
) -> None:
    pid = os.getpid()

    def end() -> None:
        if os.getpid() != pid:
            return  # this is a copy of the process, without the thread
        try:
            stopping = asyncio.run_coroutine_threadsafe(stack.aclose(), loop)
            stopping.result(services.settings.shutdown_timeout + _PATIENCE)
        except Exception:  # noqa: BLE001 - whatever it is, nothing may survive this process
            services.close()
        loop.call_soon_threadsafe(loop.stop)
        thread.join(_PATIENCE)

    # With atexit it would be too late: the thread pools that the event loop needs are closed by then.
    getattr(threading, "_register_atexit", atexit.register)(end)


def _body(environ: dict[str, Any], limit: int) -> bytes:
    """The request's body; of one larger than `limit` only so much that the application sees it is too large."""
    announced = environ.get("CONTENT_LENGTH") or ""
    if announced.isascii() and announced.isdigit() and len(announced) < _DIGITS:
        length = int(announced)
        return bytes(environ["wsgi.input"].read(length)) if length <= limit else b""
    if environ.get("wsgi.input_terminated") or environ.get("HTTP_TRANSFER_ENCODING"):
        return bytes(environ["wsgi.input"].read(limit + 1))
    return b""


def _scope(environ: dict[str, Any]) -> Scope:
    headers = {name[5:]: value for name, value in environ.items() if name.startswith("HTTP_")}
    headers |= {name: environ[name] for name in ("CONTENT_TYPE", "CONTENT_LENGTH") if environ.get(name)}
    root = environ.get("SCRIPT_NAME", "").encode("latin-1").decode(errors="replace")
    path = environ.get("PATH_INFO", "").encode("latin-1").decode(errors="replace")
    return asgi.scope_of(
        environ["REQUEST_METHOD"],
        root + path,
        environ.get("QUERY_STRING", ""),
        {name.replace("_", "-"): value for name, value in headers.items()},
        scheme=environ["wsgi.url_scheme"],
        root_path=root,
        client=(environ.get("REMOTE_ADDR", ""), int(environ.get("REMOTE_PORT") or 0)),
        server=(environ["SERVER_NAME"], int(environ["SERVER_PORT"])),
    )
