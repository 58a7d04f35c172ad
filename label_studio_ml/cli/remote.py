"""Jobs and versions of a running backend, through its API."""

from __future__ import annotations

import weakref
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
import msgspec

from ..errors import BackendError, UsageError
from ..wire import replies

T = TypeVar("T")


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
