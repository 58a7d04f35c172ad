"""A small backend that speaks the protocol rightly, but for what a test changes."""

from __future__ import annotations

import base64
import contextlib
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Json = dict[str, Any]
Answer = Callable[[Json], Any]


@dataclass(kw_only=True)
class Pretend:
    """What it answers.

    `answers`: path → what makes the answer of the request's body: an object, a text, or `(status, object)`.
    `slow`: path → seconds that its answer takes.
    """

    answers: dict[str, Answer] = field(default_factory=dict)
    slow: dict[str, float] = field(default_factory=dict)
    missing: set[str] = field(default_factory=set)
    prefix: str = ""
    user: str = ""
    password: str = ""
    open_paths: set[str] = field(default_factory=lambda: {"/health"})
    redirect: str = ""
    calls: list[tuple[str, str, Json]] = field(default_factory=list)
    url: str = ""

    def answer(self, path: str, body: Json) -> Any:
        """The rightful answer, unless the test has another."""
        if path in self.answers:
            return self.answers[path](body)
        version = "pretend-1"
        return {
            "/health": {"status": "UP", "model_class": "Pretend"},
            "/setup": {"model_version": version},
            "/predict": {
                "results": [{"result": [], "score": 0.5, "model_version": version} for _ in body.get("tasks", [])]
            },
            "/webhook": (201, {"status": "ok"}),
            "/versions": {"versions": [version]},
            "/delete": {},
        }.get(path, (404, {"error": f"There is no {path} here."}))


class _Handler(BaseHTTPRequestHandler):
    pretend: Pretend
    closing: threading.Event

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length) or b"{}")
        full = self.path.partition("?")[0]
        path = full.removeprefix(self.pretend.prefix)
        self.pretend.calls.append((self.command, full, body))
        if self.pretend.redirect:
            self._reply(301, "", {"Location": self.pretend.redirect + full})
        elif (self.pretend.prefix and not full.startswith(self.pretend.prefix)) or path in self.pretend.missing:
            self._reply(404, "<html>not here</html>")
        elif self.pretend.user and path not in self.pretend.open_paths and not self._let_in():
            self._reply(401, "Wrong or missing user and password")
        else:
            self.closing.wait(self.pretend.slow.get(path, 0))
            said = self.pretend.answer(path, body)
            status, content = said if isinstance(said, tuple) else (200, said)
            self._reply(status, content if isinstance(content, str) else json.dumps(content))

    def _let_in(self) -> bool:
        expected = base64.b64encode(f"{self.pretend.user}:{self.pretend.password}".encode()).decode()
        return self.headers.get("Authorization") == f"Basic {expected}"

    def _reply(self, status: int, text: str, headers: dict[str, str] | None = None) -> None:
        with contextlib.suppress(ConnectionError):  # who asked has given up
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

    def log_message(self, *_arguments: Any) -> None:
        """Be quiet."""


@contextlib.contextmanager
def serving(pretend: Pretend, tls: ssl.SSLContext | None = None) -> Iterator[Pretend]:
    """Serve it on a free port; `url` is set."""
    closing = threading.Event()
    handler = type("Handler", (_Handler,), {"pretend": pretend, "closing": closing})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        pretend.url = f"{'https' if tls else 'http'}://localhost:{server.server_address[1]}"
        try:
            yield pretend
        finally:
            closing.set()
            server.shutdown()
            thread.join()
