"""Run a server in this process until a signal ends it."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import functools
import gc
import json
import logging
import os
import signal
import socket
import tempfile
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import uvicorn
from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from starlette.types import ASGIApp

from .. import __version__, logs
from ..errors import BackendError, LoadError, SourceError, UsageError
from ..processes.messages import Source
from ..settings import Settings
from .app import create_app
from .services import Services, open_services

T = TypeVar("T")

_console = Console(highlight=False)
_log = logging.getLogger(__name__)


def run(settings: Settings, source: Source | type[Any], kwargs: dict[str, Any], *, check: bool = False) -> None:
    """Serve until SIGTERM or SIGINT; a second signal ends everything at once.

    Args:
        settings: how to run.
        source: the backend.
        kwargs: arguments for the constructor of the model class.
        check: construct the class once before saying that all is well.

    Raises:
        UsageError: the port is taken, or there is no usable model class.
        LoadError: the model class cannot be imported, or constructed with `check`.
        StoreError: the database cannot be opened.
    """
    logs.configure(settings.log_level, "web")
    listening = _listen(settings.host, settings.port)
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # a client that does not take its reply must not hold it in memory
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(settings.request_timeout * 1000))
    try:
        failure = _run(_serve(settings, source, kwargs, listening, check))
    finally:
        listening.close()
    if failure is not None:
        raise failure


async def _serve(
    settings: Settings, source: Source | type[Any], kwargs: dict[str, Any], listening: socket.socket, check: bool
) -> BackendError | None:
    async with open_services(settings, source, kwargs) as services:
        web = _Web(_config(settings, create_app(services)), services.kill)
        announced = _announce(settings.model_dir, listening)
        watch = asyncio.create_task(_watch(services, web, listening, check))
        try:
            await web.serve(sockets=[listening])
        finally:
            announced.unlink(missing_ok=True)
            watch.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        return await watch
    return None


def _config(settings: Settings, app: ASGIApp) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        log_config=None,
        log_level="debug" if settings.debug else "warning",
        access_log=settings.debug,
        lifespan="off",
        timeout_graceful_shutdown=int(settings.shutdown_timeout) or 1,
        server_header=False,
        http=_protocol(settings),
        ws="none",
        timeout_keep_alive=75,  # Label Studio keeps connections and must not find them closed
    )


async def _watch(services: Services, web: _Web, listening: socket.socket, check: bool) -> BackendError | None:
    """Wait for the model to load; end the server when it cannot, for a person is watching now."""
    status = await services.runner.settled()
    while services.settings.reload and status.state == "failed":
        _log.error("%s It is loaded again when a file changes.", status.error)
        status = await services.runner.settled(after=status)
    failure: BackendError | None = None
    if status.state == "failed":
        failure = (SourceError if status.usage else LoadError)(status.error)
    elif check:
        try:
            await services.runner.warm("", None)
        except LoadError as error:
            failure = error
    if failure is not None:
        web.should_exit = True
        return failure
    _banner(services, listening)
    # What is loaded now stays: going through it for garbage would hold up requests for 60 ms every few thousand.
    gc.collect()
    gc.freeze()
    return None


class _Web(uvicorn.Server):
    """uvicorn, with our own way to end: one signal in order, two at once."""

    def __init__(self, config: uvicorn.Config, kill: Callable[[], None]) -> None:
        super().__init__(config)
        self._kill = kill

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._on_signal)
        yield

    def _on_signal(self) -> None:
        if self.should_exit:
            self._kill()
            os._exit(1)
        self.should_exit = True


def _protocol(settings: Settings) -> Any:
    try:
        from .http.connection import Connection, Limits
    except ImportError:  # no httptools on Windows; the other parser has a limit for headers, and no more
        return "h11"
    return functools.partial(Connection, limits=Limits(settings.request_timeout, settings.max_connections))


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listening = socket.socket(family, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(2048)
    except (OSError, OverflowError) as error:
        if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
            raise UsageError(f"Port {port} is taken. Stop what uses it, or choose another with --port.") from None
        raise UsageError(f"Cannot listen on {host}:{port}: {error}.") from None
    return listening


def _announce(model_dir: Path, listening: socket.socket) -> Path:
    """Leave word in the model folder where this server is, for commands that want to reach it."""
    host, port = listening.getsockname()[:2]
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, host)  # noqa: S104 - only compared
    path = model_dir / "server.json"
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix="server.json.")  # for us alone, and no link of others
    with os.fdopen(handle, "w") as file:
        file.write(json.dumps({"url": f"http://{shown}:{port}", "pid": os.getpid()}))
    Path(draft).replace(path)
    return path


def _banner(services: Services, listening: socket.socket) -> None:
    host, port = listening.getsockname()[:2]
    shown = "localhost" if host in ("0.0.0.0", "::") else host  # noqa: S104 - only compared
    description = services.runner.status.description
    table = Table.grid(padding=(0, 2))
    table.add_row("Address", f"[bold]http://{shown}:{port}[/bold]")
    table.add_row("Model", description.model_class if description else "")
    table.add_row("Learns", "yes" if description and description.learns else "no (it has no fit())")
    table.add_row("State", str(services.settings.model_dir))
    table.add_row("Sign-in", "user and password" if services.settings.auth_required else "none")
    table.add_row("Connect", f"In Label Studio: project Settings, Model, Connect Model, URL http://{shown}:{port}")
    table.add_row(
        "", "Both on this computer? Start Label Studio with ML_BLOCK_LOCAL_IP=false SSRF_PROTECTION_ENABLED=false"
    )
    _console.print(Panel(table, title=f"label-studio-ml {__version__}", expand=False))


def _run(work: Coroutine[Any, Any, T]) -> T:
    """`asyncio.run` on the fastest loop there is; Python 3.10 cannot be told which."""
    try:
        import uvloop
    except ImportError:  # not on Windows
        loop: asyncio.AbstractEventLoop = asyncio.new_event_loop()
    else:
        loop = uvloop.new_event_loop()
    try:
        return loop.run_until_complete(work)
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()
