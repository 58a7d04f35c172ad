"""The API of a Label Studio that is played on the loopback address: media, tasks and one project.

Runs on a thread of the calling process. Over HTTP it can be read, never changed; whoever plays changes it directly.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import mimetypes
import secrets
import threading
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from label_studio_sdk._extensions.label_studio_tools.core.label_config import parse_config

from ..wire import records

Json = dict[str, Any]

_RELEASE = "1.23.2"
_PERSON: Json = {"id": 1, "first_name": "", "last_name": "", "email": "", "avatar": None}


class Stage:
    """A Label Studio with one project. Use it in a `with` block."""

    hostname: str
    """Its address, as models call it."""
    token: str
    """The only token that it takes."""
    unknown: list[str]
    """Calls that were made and are not played here, as in `GET /api/users/`."""

    def __init__(self, project_id: str = "1", label_config: str = "") -> None:
        self.token = secrets.token_hex(20)
        self.unknown = []
        self._project_id = int(project_id) if project_id.isdigit() else 1
        self._label_config = label_config
        self._tasks: list[Json] = []
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

    @property
    def project(self) -> Json:
        """The project, as webhooks bring it."""
        return records.project(self._project_id, self._label_config, "Sample project", _parsed(self._label_config))

    def configure(self, label_config: str) -> None:
        """Give the project another labeling config."""
        self._label_config = label_config

    def show(self, tasks: Sequence[Json]) -> None:
        """Let these be all tasks of the project."""
        self._tasks = list(tasks)

    def keep(self, task: Json) -> None:
        """Add a task, in place of the one of the same id if there is one."""
        self._tasks = [*(one for one in self._tasks if one["id"] != task["id"]), task]

    def publish(self, name: str, content: bytes) -> str:
        """Take an upload and return its address in tasks. Its name tells contents apart, as caches go by it."""
        stored = f"upload/{self._project_id}/{hashlib.sha256(content).hexdigest()[:8]}-{name}"
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
        project = f"api/projects/{self._project_id}"
        if where in ("health", "api/health"):
            return {"status": "UP"}
        if where == "api/version":
            return {"release": _RELEASE}
        if where == "api/projects":
            return {"count": 1, "next": None, "previous": None, "results": [self._shown_project]}
        if where == project:
            return self._shown_project
        if where == f"{project}/export":
            return [task for task in self._tasks if task["annotations"]]
        if where == "api/tasks":
            return self._page(query)
        if where == f"{project}/tasks":
            return self._page(query)["tasks"]
        return next((task for task in self._tasks if where == f"api/tasks/{task['id']}"), None)

    @property
    def _shown_project(self) -> Json:
        """The project as the API shows it: with the person who made it, where webhooks have the number alone."""
        return {**self.project, "created_by": _PERSON}

    def _page(self, query: dict[str, str]) -> Json:
        size, page = int(query.get("page_size") or 100), int(query.get("page") or 1)
        annotated_only = "annotations" in query.get("query", "")
        wanted = [task for task in self._tasks if task["annotations"] or not annotated_only]
        return {
            "tasks": wanted[(page - 1) * size : page * size],
            "total": len(wanted),
            "total_annotations": sum(len(task["annotations"]) for task in wanted),
            "total_predictions": 0,
        }


def _parsed(label_config: str) -> Json:
    with contextlib.suppress(Exception):  # a config that Label Studio would refuse has no parsed form
        found: Json = parse_config(label_config)
        return found
    return {}


def _handler(stage: Stage) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            given = self.headers.get("Authorization", "").split()
            if not given or given[-1] != stage.token:
                self._reply(401, b'{"detail": "Authentication credentials were not provided."}')
                return
            found = stage.answer(self.path)
            if found is None:
                self._reply(404, b'{"detail": "This call is not among those that are played here."}')
            else:
                self._reply(200, *found)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            stage.unknown.append(f"{self.command} {urlsplit(self.path).path}")
            self._reply(404, b'{"detail": "Only calls that read are played here."}')

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
