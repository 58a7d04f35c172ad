"""Plays Label Studio on the loopback address: media, tasks and the project, as far as models ask for them.

Runs on a thread of the calling process, for the length of a rehearsal. It can be read, never changed.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import mimetypes
import os
import secrets
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

Json = dict[str, Any]


class Stage:
    """A Label Studio with one project. Use it in a `with` block."""

    def __init__(self, project_id: str = "1", label_config: str = "") -> None:
        self.project: Json = {"id": int(project_id) if project_id.isdigit() else 1, "title": "Rehearsal"}
        self.project["label_config"] = label_config
        self.tasks: list[Json] = []
        self.unknown: list[str] = []
        """Calls that were made and are not played here."""
        self.token = secrets.token_hex(20)
        self._files: dict[str, bytes] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.hostname = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Stage:  # noqa: PYI034 - Self needs Python 3.11
        """Start to answer."""
        threading.Thread(target=self._server.serve_forever, args=(0.05,), name="stage", daemon=True).start()
        return self

    def __exit__(self, *_exc: object) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()

    def publish(self, name: str, content: bytes) -> str:
        """Take an upload and return its address in tasks. Its name tells contents apart, as caches go by it."""
        stored = f"upload/{self.project['id']}/{hashlib.sha256(content).hexdigest()[:8]}-{name}"
        self._files[stored] = content
        return f"/data/{stored}"

    def answer(self, path: str) -> tuple[bytes, str] | None:
        """Body and content type for a GET; None for what is not played."""
        parts = urlsplit(path)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        where = parts.path.strip("/")
        name = query.get("filepath", "") if where == "storage-data/uploaded" else where.removeprefix("data/")
        if name in self._files:
            return self._files[name], mimetypes.guess_type(name)[0] or "application/octet-stream"
        found = self._json(where, query)
        if found is None:
            self.unknown.append(f"GET {parts.path}")
            return None
        return json.dumps(found).encode(), "application/json"

    def _json(self, where: str, query: dict[str, str]) -> Any:
        project = f"api/projects/{self.project['id']}"
        if where in ("health", "api/health"):
            return {"status": "UP"}
        if where == "api/version":
            return {"release": "1.23.2"}
        if where == "api/projects":
            return {"count": 1, "next": None, "previous": None, "results": [self.project]}
        if where == project:
            return self.project
        if where == f"{project}/export":
            return [task for task in self.tasks if task["annotations"]]
        if where == "api/tasks":
            return self._page(query)
        if where == f"{project}/tasks":
            return self._page(query)["tasks"]
        return next((task for task in self.tasks if where == f"api/tasks/{task['id']}"), None)

    def _page(self, query: dict[str, str]) -> Json:
        size, page = int(query.get("page_size") or 100), int(query.get("page") or 1)
        wanted = [task for task in self.tasks if "annotations" not in query.get("query", "") or task["annotations"]]
        return {
            "tasks": wanted[(page - 1) * size : page * size],
            "total": len(wanted),
            "total_annotations": sum(len(task["annotations"]) for task in wanted),
            "total_predictions": 0,
        }


def _handler(stage: Stage) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            given = self.headers.get("Authorization", "").split()
            if not given or given[-1] != stage.token:
                self._reply(401, b'{"detail": "Authentication credentials were not provided."}')
                return
            found = stage.answer(self.path)
            if found is None:
                self._reply(404, b'{"detail": "The rehearsal does not play this call."}')
            else:
                self._reply(200, *found)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            stage.unknown.append(f"{self.command} {urlsplit(self.path).path}")
            self._reply(404, b'{"detail": "The rehearsal only plays calls that read."}')

        do_PATCH = do_PUT = do_DELETE = do_POST  # noqa: N815 - the names that the base class looks for

        def _reply(self, status: int, body: bytes, kind: str = "application/json") -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: Any) -> None:
            """Say nothing."""

    return Handler


@contextlib.contextmanager
def environment(**variables: str | None) -> Iterator[None]:
    """Set environment variables (None takes one away) for models that read them, and put things back afterwards."""
    before = {name: os.environ.get(name) for name in variables}
    _apply(variables)
    try:
        yield
    finally:
        _apply(before)


def label_studio_environment(hostname: str, token: str, model_dir: str) -> contextlib.AbstractContextManager[None]:
    """What a model finds in its environment: where Label Studio is, and a folder to keep things in."""
    direct = ",".join(filter(None, [os.environ.get("NO_PROXY", os.environ.get("no_proxy", "")), "127.0.0.1"]))
    return environment(
        LABEL_STUDIO_URL=hostname,
        LABEL_STUDIO_HOST=hostname,
        LABEL_STUDIO_API_KEY=token,
        LABEL_STUDIO_ACCESS_TOKEN=token,
        MODEL_DIR=model_dir,
        NO_PROXY=direct,
        no_proxy=direct,
    )


def _apply(variables: dict[str, str | None]) -> None:
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
