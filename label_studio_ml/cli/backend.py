"""Reaching a backend's jobs and versions: through its API while it runs, through its store when it does not."""

from __future__ import annotations

import json
import os
import re
import weakref
from pathlib import Path
from typing import Any, Protocol, TypeVar
from urllib.parse import quote

import httpx
import msgspec

from .. import settings
from ..author import source
from ..errors import BackendError, UsageError
from ..settings import Settings
from ..store.database import Database
from ..train.manage import Manager
from ..wire import replies

T = TypeVar("T")


class Backend(Protocol):
    """What `Manager` and `Remote` both answer."""

    def list_jobs(self, project_id: str | None = None) -> list[replies.Job]: ...  # noqa: D102
    def show_job(self, job_id: str) -> replies.JobDetails: ...  # noqa: D102
    def job_log(self, job_id: str, offset: int = 0) -> replies.JobLog: ...  # noqa: D102
    def cancel_job(self, job_id: str) -> replies.JobDetails: ...  # noqa: D102
    def retry_job(self, job_id: str) -> replies.JobDetails: ...  # noqa: D102
    def list_versions(self, project_id: str | None = None) -> list[replies.Version]: ...  # noqa: D102
    def show_version(self, project_id: str, name: str) -> replies.VersionDetails: ...  # noqa: D102
    def activate_version(self, project_id: str, name: str) -> replies.VersionDetails: ...  # noqa: D102
    def delete_version(self, project_id: str, name: str) -> None: ...  # noqa: D102


class Remote:
    """A running server."""

    def __init__(self, url: str, user: str = "", password: str = "") -> None:
        auth = (user, password) if user else None
        self._client = httpx.Client(base_url=url.rstrip("/"), auth=auth, timeout=120)
        weakref.finalize(self, self._client.close)

    def list_jobs(self, project_id: str | None = None) -> list[replies.Job]:  # noqa: D102
        return self._call("GET", "/jobs", replies.Jobs, params={"project": project_id or ""}).jobs

    def show_job(self, job_id: str) -> replies.JobDetails:  # noqa: D102
        return self._call("GET", f"/jobs/{_quoted(job_id)}", replies.JobDetails)

    def job_log(self, job_id: str, offset: int = 0) -> replies.JobLog:  # noqa: D102
        return self._call("GET", f"/jobs/{_quoted(job_id)}/log", replies.JobLog, params={"offset": offset})

    def cancel_job(self, job_id: str) -> replies.JobDetails:  # noqa: D102
        return self._call("POST", f"/jobs/{_quoted(job_id)}/cancel", replies.JobDetails)

    def retry_job(self, job_id: str) -> replies.JobDetails:  # noqa: D102
        return self._call("POST", f"/jobs/{_quoted(job_id)}/retry", replies.JobDetails)

    def list_versions(self, project_id: str | None = None) -> list[replies.Version]:  # noqa: D102
        if project_id is None:
            known = self._call("GET", "/projects", replies.Projects).projects
            return [version for project in known for version in self.list_versions(project)]
        return self._call("GET", f"/projects/{_quoted(project_id)}/versions", replies.Versions).versions

    def show_version(self, project_id: str, name: str) -> replies.VersionDetails:  # noqa: D102
        return self._of_version(project_id, "show", name, replies.VersionDetails)

    def activate_version(self, project_id: str, name: str) -> replies.VersionDetails:  # noqa: D102
        return self._of_version(project_id, "activate", name, replies.VersionDetails)

    def delete_version(self, project_id: str, name: str) -> None:  # noqa: D102
        self._of_version(project_id, "remove", name, replies.Done)

    def _of_version(self, project_id: str, verb: str, name: str, kind: type[T]) -> T:
        return self._call("POST", f"/projects/{_quoted(project_id)}/{verb}", kind, json={"version": name})

    def _call(self, method: str, path: str, kind: type[T], **more: Any) -> T:
        try:
            reply = self._client.request(method, path, **more)
        except httpx.HTTPError as error:
            raise BackendError(f"The backend at {self._client.base_url} does not answer: {error}.") from error
        if reply.status_code == 401:
            raise UsageError("The backend wants a user and a password: --basic-auth-user, --basic-auth-pass.")
        try:
            if reply.status_code >= 400:
                failure = msgspec.json.decode(reply.content, type=dict[str, Any])
                raise BackendError(failure.get("error", f"The backend answered {reply.status_code}."))
            return msgspec.json.decode(reply.content, type=kind)
        except msgspec.DecodeError:
            raise BackendError(f"{self._client.base_url} does not look like a backend.") from None


def _quoted(name: str) -> str:
    return quote(name, safe="")


def reach(target: str, url: str | None, **given: Any) -> Backend:
    """The backend of a folder or script, or at an address.

    Raises:
        UsageError: there is no such backend, or it has never been started.
    """
    if url:
        config = settings.load(**given)
        return Remote(url, config.basic_auth_user, config.basic_auth_pass)
    config = settings.load(**given, default_model_dir=source.locate(target).folder / "model-data")
    if running := running_at(config):
        return Remote(running, config.basic_auth_user, config.basic_auth_pass)
    path = config.model_dir / "label-studio-ml.db"
    if not config.database_url and not path.is_file():
        raise UsageError(f"There is no store in {config.model_dir}. Has the backend ever been started?")
    database = Database(config.database)
    database.migrate()
    manager = Manager(database, config)
    weakref.finalize(manager, database.close)  # commands do not have to think of it
    return manager


def address(target: str) -> str:
    """The address of a running backend, given that or its folder.

    Raises:
        UsageError: it is neither, or no server of this folder runs.
    """
    if target.startswith(("http://", "https://")):
        return target.rstrip("/")
    if re.fullmatch(r"[\w.-]+:\d+(/.*)?", target):
        raise UsageError(f"{target} is no folder; if it is an address, write http://{target}.")
    if "://" in target:
        raise UsageError(f"{target} must begin with http:// or https://.")
    running = running_at(settings.load(default_model_dir=source.locate(target).folder / "model-data"))
    if running is None:
        raise UsageError(
            f"No server of {target} runs on this machine. Start it with `label-studio-ml start {target}`, or give "
            "the address of one that runs elsewhere."
        )
    return running


def state(url: str, config: Settings) -> dict[str, Any]:
    """What a running backend says about itself; nothing when it cannot be reached from here, or is not ours."""
    auth = (config.basic_auth_user, config.basic_auth_pass) if config.basic_auth_user else None
    try:
        found = httpx.get(f"{url}/health", auth=auth, timeout=10).json()
    except (httpx.HTTPError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def check_webhook(url: str, config: Settings) -> None:
    """Knock at a backend of ours with the credentials that a webhook will carry; no event, so no marks.

    Raises:
        UsageError: it refuses them.
    """
    headers = {"X-Webhook-Secret": config.webhook_secret} if config.webhook_secret else {}
    user = config.basic_auth_user
    auth = (user, config.basic_auth_pass) if user and not config.webhook_secret else None
    try:
        reply = httpx.post(f"{url}/webhook", json={}, headers=headers, auth=auth, timeout=10)
    except httpx.HTTPError:
        return
    if reply.status_code == 401 and config.webhook_secret:
        raise UsageError(
            "The backend refuses this webhook secret. Start it with the same --webhook-secret (or "
            "LABEL_STUDIO_ML_WEBHOOK_SECRET) as is given here."
        )
    if reply.status_code == 401:
        raise UsageError("The backend wants a user and a password: --basic-auth-user, --basic-auth-pass.")


def running_at(config: Settings) -> str | None:
    """The address of the server that uses this model folder, if one runs on this machine."""
    path = Path(config.model_dir, "server.json")
    try:
        if path.stat().st_uid not in {getattr(os, "getuid", int)(), path.parent.stat().st_uid, 0}:
            return None  # who put it there would get our password
        said = json.loads(path.read_text())
        os.kill(int(said["pid"]), 0)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return str(said["url"])
