"""Versions, as Label Studio asks for their names, and for people and the command line."""

from __future__ import annotations

import asyncio
from pathlib import Path

from ...errors import LoadError, NotFound
from ...store import versions
from ...store.database import Database
from ...train.manage import Manager
from ...wire import replies, requests
from ..active_versions import ActiveVersions
from ..operations import NAME, get, post
from ..rollout import Rollout


class Versions:
    """Which versions there are, and which one predicts."""

    def __init__(
        self, database: Database, active: ActiveVersions, rollout: Rollout, manager: Manager, model_dir: Path
    ) -> None:
        self._database, self._active, self._rollout = database, active, rollout
        self._manager, self._model_dir = manager, model_dir

    @get("/versions", "Names of all versions, newest first.", query={"project": NAME})
    async def all_names(self, project: str | None = None) -> replies.VersionNames:
        """`GET /versions`: of the project in the query, or of all; Label Studio names none."""
        return await self._names(requests.project_key(project) or None)

    @post("/versions", "Names of a project's versions.")
    async def names_of_project(self, message: requests.ProjectRequest) -> replies.VersionNames:
        """`POST /versions` of older Label Studio versions."""
        return await self._names(requests.project_key(message.project))

    async def _names(self, project_id: str | None) -> replies.VersionNames:
        found = await self._database.read_async(versions.of_project, project_id)
        names = list(dict.fromkeys(version.name for version in found if version.state == "ready"))
        return replies.VersionNames(names, str(self._model_dir))

    @get("/projects/{project}/versions", "A project's versions.")
    async def list_versions(self, project: str) -> replies.Versions:
        """`GET /projects/{project}/versions`."""
        return replies.Versions(await asyncio.to_thread(self._manager.list_versions, project))

    @post("/projects/{project}/show", "One version.", raises=(NotFound,))
    async def show_version(self, project: str, message: requests.VersionRequest) -> replies.VersionDetails:
        """`POST /projects/{project}/show`."""
        return await self._show(project, message.name)

    @post("/projects/{project}/activate", "Let a version predict.", raises=(NotFound,))
    async def activate_version(self, project: str, message: requests.VersionRequest) -> replies.VersionDetails:
        """`POST /projects/{project}/activate`: answers when the version predicts."""
        name = message.name
        number = (await self._show(project, name)).number
        await self._active.know(project)  # before it changes: what predicts now is what stays should loading fail
        await asyncio.to_thread(self._manager.activate_version, project, name)
        await self._rollout.refresh()
        version = await self._show(project, name)
        if self._active.number(project) != number:
            why = version.error or "another was activated meanwhile"
            raise LoadError(f"Version {name} cannot be loaded, so {self._active.name(project)} stays: {why}")
        return version

    @post("/projects/{project}/remove", "Delete a version.", raises=(NotFound,))
    async def delete_version(self, project: str, message: requests.VersionRequest) -> replies.Done:
        """`POST /projects/{project}/remove`."""
        await asyncio.to_thread(self._manager.delete_version, project, message.name)
        return replies.Done("ok")

    async def _show(self, project: str, name: str) -> replies.VersionDetails:
        return await asyncio.to_thread(self._manager.show_version, project, name)
