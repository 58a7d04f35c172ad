"""Calls for people and the command line: jobs and versions. Label Studio makes none of them."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Annotated

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ...errors import LoadError, RequestError
from ...train.manage import Manager
from ...wire import replies, requests
from .. import limits
from ..openapi import NAME, Handler, Operation, get, post

if TYPE_CHECKING:
    from ..app import Server


class VersionRequest(msgspec.Struct):
    """Names a version, by its name or its number."""

    version: Annotated[str, msgspec.Meta(max_length=requests.MAX_TEXT)]


class Management:
    """The handlers, over one server."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def operations(self) -> list[tuple[Operation, Handler]]:
        """Every call, for the router and for the OpenAPI document."""
        some = (200, 404)
        project = (("project", NAME),)
        offset = (("offset", {"type": "string", "pattern": r"^[0-9]{1,18}$"}),)
        return [
            (get("/jobs", "The newest jobs.", replies.Jobs, query=project), self.list_jobs),
            (get("/jobs/{job}", "One job.", replies.JobDetails, replies=some), self.show_job),
            (
                get("/jobs/{job}/log", "What a job printed.", replies.JobLog, query=offset, replies=some),
                self.job_log,
            ),
            (post("/jobs/{job}/cancel", "End a job.", None, replies.JobDetails, some), self.cancel_job),
            (post("/jobs/{job}/retry", "Run a job once more.", None, replies.JobDetails, some), self.retry_job),
            (get("/projects", "The projects that the store knows.", replies.Projects), self.list_projects),
            (get("/projects/{project}/versions", "A project's versions.", replies.Versions), self.list_versions),
            (
                post("/projects/{project}/show", "One version.", VersionRequest, replies.VersionDetails, some),
                self.show_version,
            ),
            (
                post(
                    "/projects/{project}/activate",
                    "Let a version predict.",
                    VersionRequest,
                    replies.VersionDetails,
                    some,
                ),
                self.activate_version,
            ),
            (
                post("/projects/{project}/remove", "Delete a version.", VersionRequest, replies.Done, some),
                self.delete_version,
            ),
        ]

    @property
    def _manager(self) -> Manager:
        return Manager(self._server.database, self._server.settings)

    async def list_jobs(self, request: Request) -> Response:
        """`GET /jobs?project=…`."""
        project = requests.name(request.query_params.get("project", ""), "project") or None
        return _reply(replies.Jobs(await asyncio.to_thread(self._manager.list_jobs, project)))

    async def show_job(self, request: Request) -> Response:
        """`GET /jobs/{job}`."""
        return _reply(await asyncio.to_thread(self._manager.show_job, _named_in(request, "job")))

    async def job_log(self, request: Request) -> Response:
        """`GET /jobs/{job}/log?offset=…`."""
        offset = request.query_params.get("offset", "0")
        if not re.fullmatch(r"\d{1,18}", offset, re.ASCII):
            raise RequestError("The query's `offset` must be a whole number.")
        job = _named_in(request, "job")
        return _reply(await asyncio.to_thread(self._manager.job_log, job, int(offset)))

    async def cancel_job(self, request: Request) -> Response:
        """`POST /jobs/{job}/cancel`."""
        return _reply(await asyncio.to_thread(self._manager.cancel_job, _named_in(request, "job")))

    async def retry_job(self, request: Request) -> Response:
        """`POST /jobs/{job}/retry`."""
        job = await asyncio.to_thread(self._manager.retry_job, _named_in(request, "job"))
        self._server.scheduler.nudge()
        await self._server.settle_in_process()
        return _reply(job)

    async def list_projects(self, _request: Request) -> Response:
        """`GET /projects`."""
        return JSONResponse({"projects": await asyncio.to_thread(self._manager.list_projects)})

    async def list_versions(self, request: Request) -> Response:
        """`GET /projects/{project}/versions`."""
        found = await asyncio.to_thread(self._manager.list_versions, _named_in(request, "project"))
        return _reply(replies.Versions(found))

    async def show_version(self, request: Request) -> Response:
        """`POST /projects/{project}/show`."""
        project, name = await self._named(request)
        return _reply(await asyncio.to_thread(self._manager.show_version, project, name))

    async def activate_version(self, request: Request) -> Response:
        """`POST /projects/{project}/activate`: answers when the version predicts."""
        project, name = await self._named(request)
        serving = self._server.serving
        number = (await asyncio.to_thread(self._manager.show_version, project, name)).number
        await serving.know(project)  # before it changes: what serves now is what stays should loading fail
        await asyncio.to_thread(self._manager.activate_version, project, name)
        await serving.refresh()
        version = await asyncio.to_thread(self._manager.show_version, project, name)
        if serving.number(project) != number:
            why = version.error or "another was activated meanwhile"
            raise LoadError(f"Version {name} cannot be loaded, so {serving.name(project)} stays: {why}")
        return _reply(version)

    async def delete_version(self, request: Request) -> Response:
        """`POST /projects/{project}/remove`."""
        project, name = await self._named(request)
        await asyncio.to_thread(self._manager.delete_version, project, name)
        return JSONResponse({"status": "ok"})

    async def _named(self, request: Request) -> tuple[str, str]:
        raw = await limits.read_body(request.scope, request.receive, self._server.settings.max_body_size)
        version = requests.decode(raw, VersionRequest).version
        return _named_in(request, "project"), requests.without_nul(version, "version") or ""


def _named_in(request: Request, what: str) -> str:
    """A job or project that the path names."""
    return requests.name(request.path_params[what], what)


def _reply(said: msgspec.Struct) -> Response:
    return Response(msgspec.json.encode(said), media_type="application/json")
