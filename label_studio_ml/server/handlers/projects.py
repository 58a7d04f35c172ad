"""Projects of Label Studio: connected, checked, copied, forgotten. `/setup` never waits for a model to load."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from pathlib import Path
from typing import Any

import msgspec

from ... import logs
from ...errors import LoadError, NotFound, RequestError, WorkerDied
from ...predict.runner import Runner
from ...store import projects
from ...store.database import Database
from ...train import cleanup
from ...wire import replies, requests
from ..active_versions import ActiveVersions
from ..operations import get, post
from ..problems import Problems
from ..rollout import Rollout

SETUP_PATIENCE = 1.0
"""Seconds that `/setup` gives a model to load, so that it can name its version.

Label Studio waits longer: `Deadlines.setup`.
"""


class Projects:
    """What becomes of a project."""

    def __init__(
        self,
        database: Database,
        active: ActiveVersions,
        rollout: Rollout,
        runner: Runner,
        problems: Problems,
        model_dir: Path,
    ) -> None:
        self._database, self._active, self._rollout = database, active, rollout
        self._runner, self._problems, self._model_dir = runner, problems, model_dir
        self._confirmed: dict[str, tuple[int, str]] = {}
        """For each project the version and the digest of the `/setup` for which the model is known to be loaded."""
        self._loading: set[asyncio.Task[Any]] = set()

    @post("/setup", "Label Studio connects.")
    async def setup(self, message: requests.SetupRequest) -> replies.Setup:
        """`POST /setup`: remember the project; answer with the version that predicts for it."""
        project_id = requests.project_key(message.project)
        if message.schema:
            _check_config(message.schema, "schema")
        hostname = requests.without_nul(message.hostname, "hostname")
        token = requests.without_nul(message.access_token, "access_token")
        if isinstance(message.extra_params, str):
            requests.without_nul(message.extra_params, "extra_params")
        logs.hide(token)
        await self._database.write_async(
            projects.save,
            project_id,
            label_config=message.schema,
            hostname=hostname,
            access_token=token,
            extra_params=requests.typed_object(message.extra_params),
        )
        await self._active.know(project_id)
        await self._confirm(project_id, message)
        return replies.Setup(self._active.name(project_id))

    async def _confirm(self, project_id: str, message: requests.SetupRequest) -> None:
        """Have the model loaded and its version named, if that takes no more than a moment."""
        digest = hashlib.sha256(msgspec.json.encode(message)).hexdigest()
        key = (self._active.number(project_id), digest)
        if self._confirmed.get(project_id) == key:
            return
        status = self._runner.status
        if status.state == "failed":
            self._runner.retry()
            raise LoadError(status.error)

        async def warm() -> None:
            name = await self._runner.warm(project_id, message.schema)
            self._active.named(project_id, key[0], name)
            self._confirmed[project_id] = key

        task = asyncio.get_running_loop().create_task(warm())
        self._loading.add(task)
        task.add_done_callback(self._loading.discard)
        done, _ = await asyncio.wait({task}, timeout=SETUP_PATIENCE)
        if done:
            with contextlib.suppress(WorkerDied):  # its replacement will be asked by the next prediction
                task.result()
        else:
            task.add_done_callback(_retrieve)

    @post("/validate", "Check a labeling config.")
    async def validate(self, message: requests.ValidateRequest) -> replies.Done:
        """`POST /validate`: whether a labeling config is well-formed."""
        _check_config(message.config, "config")
        return replies.Done("ok")

    @post("/duplicate_model", "Copy a model to a project.", raises=(NotFound,))
    async def duplicate(self, message: requests.DuplicateRequest) -> replies.Done:
        """`POST /duplicate_model`: the target starts from the source's active version."""
        source, target = requests.project_key(message.project_src), requests.project_key(message.project_dst)
        await self._database.write_async(projects.duplicate_model, source, target)
        self._active.forget(target)
        await self._rollout.refresh()
        return replies.Done("ok")

    @post("/delete", "Forget a project.")
    async def delete(self, message: requests.ProjectRequest) -> replies.Done:
        """`POST /delete`."""
        project_id = requests.project_key(message.project)
        job_ids = await self._database.write_async(projects.remove, project_id)
        await asyncio.to_thread(cleanup.remove_project, self._database, self._model_dir, project_id, job_ids)
        self._active.forget(project_id)
        self._confirmed.pop(project_id, None)
        self._problems.forget(project_id)
        return replies.Done("ok")

    @get("/projects", "The projects that the store knows.")
    async def list_projects(self) -> replies.Projects:
        """`GET /projects`."""
        found = await self._database.read_async(projects.all_projects)
        return replies.Projects([project.id for project in found if project.id])


def _check_config(config: str, field: str) -> None:
    if problem := requests.config_problem(config):
        raise RequestError(f"The field `{field}` of the request is not a labeling config: {problem}.")


def _retrieve(task: asyncio.Task[Any]) -> None:
    """Take note of a late failure, so that nobody warns that it was never looked at; the worker logged it."""
    if not task.cancelled():
        task.exception()
