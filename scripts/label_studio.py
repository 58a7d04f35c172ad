"""A real Label Studio: install it once, start it, and make the calls of its API that demo and tests need.

Uses the standard library alone. Label Studio lives in a virtual environment and a data folder of its own.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import subprocess
import sys
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.processes import Process, free_port, wait_until

VERSION = "1.23.2"

Json = dict[str, Any]


def cached_venv() -> Path:
    """Where the tests keep Label Studio, so that every checkout on a machine installs it only once.

    `LABEL_STUDIO_VENV` names another place.
    """
    if given := os.environ.get("LABEL_STUDIO_VENV"):
        return Path(given).expanduser().absolute()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "label-studio-ml-tests" / f"label-studio-{VERSION}-py{sys.version_info[0]}.{sys.version_info[1]}"


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _installed(venv: Path) -> Path:
    """The file written last, which tells a finished installation from one that was interrupted."""
    return venv / f".label-studio-{VERSION}-installed"


def is_installed(venv: Path) -> bool:
    """Whether `install` has nothing to do."""
    return _installed(venv).exists()


def install(venv: Path) -> None:
    """Install Label Studio into a virtual environment, unless it is there already (up to three minutes)."""
    with _locked(venv):
        if is_installed(venv):
            return
        subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
        subprocess.run(
            [str(venv / "bin" / "python"), "-m", "pip", "install", "--quiet", f"label-studio=={VERSION}"],
            check=True,
        )
        _installed(venv).touch()


class CallError(Exception):
    """Label Studio answered a call with an error status."""

    def __init__(self, call: str, status: int, text: str) -> None:
        """Keep the status; the message shows the call and the beginning of the answer."""
        super().__init__(f"{call} -> {status}: {text[:2000]}")
        self.status = status


@dataclass(frozen=True)
class LabelStudio:
    """The calls of Label Studio's API that we need, for one user."""

    url: str
    token: str

    def call(self, method: str, path: str, body: object = None) -> Any:
        """Make one call and return the decoded answer (None when there is no content).

        Raises:
            CallError: the status is not 2xx.
        """
        return self._send(method, path, None if body is None else json.dumps(body).encode(), "application/json")

    def _send(self, method: str, path: str, body: bytes | None, content_type: str) -> Any:
        request = urllib.request.Request(  # noqa: S310 - the address is the one we started
            self.url + path,
            method=method,
            data=body,
            headers={"Authorization": f"Token {self.token}", "Content-Type": content_type},
        )
        try:
            with urllib.request.urlopen(request, timeout=120) as reply:  # noqa: S310
                text = reply.read()
        except urllib.error.HTTPError as error:
            raise CallError(f"{method} {path}", error.code, error.read().decode(errors="replace")) from None
        return json.loads(text) if text else None

    # Projects and tasks

    def create_project(self, title: str, label_config: str) -> int:
        """Create a project and return its id."""
        project = self.call("POST", "/api/projects/", {"title": title, "label_config": label_config})
        return int(project["id"])

    def change_label_config(self, project: int, label_config: str) -> None:
        """Give the project another labeling configuration; its webhooks get PROJECT_UPDATED."""
        self.call("PATCH", f"/api/projects/{project}/", {"label_config": label_config})

    def import_tasks(self, project: int, tasks: list[Json]) -> list[int]:
        """Import tasks, each one its data or a dict with `data` and more, and return their ids in order."""
        answer = self.call("POST", f"/api/projects/{project}/import?return_task_ids=true", tasks)
        return sorted(answer["task_ids"])

    def open_task(self, task: int) -> Json:
        """Get a task with its predictions, as the labeling page does; predicts when it has none."""
        answer: Json = self.call("GET", f"/api/tasks/{task}/")
        return answer

    def next_task(self, project: int) -> Json:
        """Get the next task to label, as Label All Tasks does; predicts if it lacks the current version."""
        answer: Json = self.call("GET", f"/api/projects/{project}/next/")
        return answer

    def retrieve_predictions(self, project: int) -> None:
        """Do what Retrieve predictions does for all tasks; it ends when the predictions are stored."""
        self.call(
            "POST",
            f"/api/dm/actions?id=retrieve_tasks_predictions&project={project}",
            {"selectedItems": {"all": True, "excluded": []}},
        )

    def predictions(self, project: int) -> list[Json]:
        """Every prediction stored for the project."""
        answer: list[Json] = self.call("GET", f"/api/predictions/?project={project}")
        return answer

    def upload(self, project: int, name: str, content: bytes) -> int:
        """Upload a file into a project, which makes a task of it, and return the task's id."""
        return int(
            self._send_file(f"/api/projects/{project}/import?return_task_ids=true", name, content)["task_ids"][0]
        )

    def publish(self, project: int, name: str, content: bytes) -> str:
        """Upload a file into a project without making a task of it, and return its address for tasks' data."""
        answer = self._send_file(f"/api/projects/{project}/import?commit_to_project=false", name, content)
        uploaded = self.call("GET", f"/api/import/file-upload/{answer['file_upload_ids'][0]}")
        return f"/data/{uploaded['file']}"

    def _send_file(self, path: str, name: str, content: bytes) -> Json:
        boundary = "----a-boundary-that-no-test-has-in-its-files"
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
        body = head.encode() + content + f"\r\n--{boundary}--\r\n".encode()
        answer: Json = self._send("POST", path, body, f"multipart/form-data; boundary={boundary}")
        return answer

    def add_storage(self, kind: str, project: int, **options: object) -> int:
        """Connect a storage (`localfiles`, `s3` …) to a project, make tasks of its files, and return its id."""
        storage = self.call(
            "POST", f"/api/storages/{kind}/", {"project": project, "use_blob_urls": True, **options}
        )
        self.call("POST", f"/api/storages/{kind}/{storage['id']}/sync", {})
        return int(storage["id"])

    def tasks(self, project: int) -> list[Json]:
        """The tasks of a project, without predictions."""
        answer: Json = self.call("GET", f"/api/tasks?project={project}&page_size=100&fields=all")
        return list(answer["tasks"])

    def personal_token(self) -> str:
        """A personal access token of the user: a JWT that has to be exchanged."""
        return str(self.call("POST", "/api/token/", {})["token"])

    # Annotations

    def annotate(self, task: int, result: list[Json], *, skip: bool = False) -> int:
        """Submit an annotation (or skip the task) and return the annotation's id."""
        body = {"result": result, "was_cancelled": skip, "lead_time": 2.5}
        return int(self.call("POST", f"/api/tasks/{task}/annotations/", body)["id"])

    def update_annotation(self, annotation: int, result: list[Json]) -> None:
        """Replace the result of an annotation."""
        self.call("PATCH", f"/api/annotations/{annotation}/", {"result": result})

    def delete_annotation(self, annotation: int) -> None:
        """Delete an annotation; webhooks get ANNOTATIONS_DELETED."""
        self.call("DELETE", f"/api/annotations/{annotation}/")

    # Machine-learning backends

    def connect(self, project: int, url: str, **options: object) -> Json:
        """Connect a backend as the settings page does: health, then setup, then a webhook for all events.

        Options: `is_interactive`, `extra_params`, `auth_method`, `basic_auth_user`, `basic_auth_pass`.
        """
        answer: Json = self.call("POST", "/api/ml", {"url": url, "project": project, "title": "backend", **options})
        return answer

    def backend(self, backend: int) -> Json:
        """The backend as the model page shows it: asks its health and setup first."""
        answer: Json = self.call("GET", f"/api/ml/{backend}")
        return answer

    def versions(self, backend: int) -> list[str]:
        """The versions that the model page offers."""
        return list(self.call("GET", f"/api/ml/{backend}/versions")["versions"])

    def start_training(self, backend: int) -> None:
        """Press the Start training button."""
        self.call("POST", f"/api/ml/{backend}/train", {})

    def interact(self, backend: int, task: int, region: Json) -> Json:
        """Do what a click with a smart tool does, and return the whole answer (`data` or `errors`)."""
        answer: Json = self.call(
            "POST",
            f"/api/ml/{backend}/interactive-annotating",
            {"task": task, "context": {"result": [region]}},
        )
        return answer

    def webhooks(self, project: int) -> list[Json]:
        """The webhooks of the project; connecting a backend makes one."""
        answer: list[Json] = self.call("GET", f"/api/webhooks/?project={project}")
        return answer

    def set_webhook_headers(self, webhook: int, headers: Mapping[str, str]) -> None:
        """Have Label Studio send these headers with every call of the webhook."""
        self.call("PATCH", f"/api/webhooks/{webhook}/", {"headers": dict(headers)})


@dataclass(frozen=True)
class Account:
    """The first user, made at start."""

    user: str = "a@b.co"
    password: str = "passw0rd"  # noqa: S105 - of a throw-away instance on this computer
    token: str = "0123456789abcdef" * 2 + "01234567"


class LabelStudioServer:
    """Label Studio as a process with its own data folder."""

    def __init__(
        self,
        venv: Path,
        data_dir: Path,
        port: int,
        log_file: Path,
        account: Account | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Start it; `wait_ready` tells when it answers. It serves local files from a folder beside `data_dir`.

        `environment` overrides what is set here for tests.
        """
        account = account or Account()
        data_dir.mkdir(parents=True, exist_ok=True)
        self.url = f"http://localhost:{port}"
        self.api = LabelStudio(self.url, account.token)
        self.local_files = data_dir.parent / "local-files"
        self.local_files.mkdir(exist_ok=True)
        self._process = Process(
            [venv / "bin" / "label-studio", "start", "--no-browser", "--port", str(port)],
            cwd=data_dir,
            log_file=log_file,
            env={
                "PATH": os.environ.get("PATH", ""),
                "HOME": str(data_dir),
                "LANG": "C.UTF-8",
                "LABEL_STUDIO_BASE_DATA_DIR": str(data_dir),
                "LABEL_STUDIO_USERNAME": account.user,
                "LABEL_STUDIO_PASSWORD": account.password,
                "LABEL_STUDIO_USER_TOKEN": account.token,
                "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN": "true",
                # Since 1.23 Label Studio refuses backends on this computer unless these two are off.
                "ML_BLOCK_LOCAL_IP": "false",
                "SSRF_PROTECTION_ENABLED": "false",
                # Nothing of a test or a demo is anybody else's business.
                "COLLECT_ANALYTICS": "False",
                "SENTRY_DSN": "",
                "FRONTEND_SENTRY_DSN": "",
                "LATEST_VERSION_CHECK": "false",
                # Storages of local files may be below this folder.
                "LOCAL_FILES_SERVING_ENABLED": "true",
                "LOCAL_FILES_DOCUMENT_ROOT": str(self.local_files),
                **(environment or {}),
            },
        )

    @property
    def log(self) -> str:
        """What Label Studio wrote."""
        return self._process.log

    @property
    def has_ended(self) -> bool:
        """Whether the process is gone."""
        return self._process.exit_code is not None

    def wait_ready(self, timeout: float = 240) -> None:
        """Wait until the user's token is good for a call: a foreign instance on the port would refuse it.

        Raises:
            RuntimeError: Label Studio ended instead; the message shows the end of its log.
        """

        def answers() -> bool:
            if self.has_ended:
                raise RuntimeError(f"Label Studio ended at start:\n{self.log[-3000:]}")
            try:
                self.api.call("GET", "/api/projects/?page_size=1")
            except (CallError, OSError):
                return False
            return True

        wait_until(answers, timeout, f"Label Studio to answer at {self.url}")

    def stop(self) -> None:
        """End it and everything it started."""
        self._process.stop(timeout=15)


@contextlib.contextmanager
def running() -> Iterator[LabelStudio]:
    """A Label Studio of its own, in the tests' virtual environment, that is gone afterwards."""
    venv = cached_venv()
    install(venv)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        server = LabelStudioServer(venv, folder / "data", free_port(), folder / "log")
        try:
            server.wait_ready()
            yield server.api
        finally:
            server.stop()
