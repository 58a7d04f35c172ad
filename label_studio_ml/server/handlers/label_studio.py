"""The calls Label Studio makes. `/setup`, `/health` and `/webhook` never wait for a model to load or to finish."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import time
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ... import logs
from ...errors import LoadError, RequestError, StoreError, WorkerDied
from ...store import jobs, projects, versions
from ...train import cleanup
from ...train.intake import Arrival
from ...wire import events as protocol
from ...wire import replies, requests
from .. import limits
from ..openapi import NAME, Handler, Operation, get, post
from .predict import Predict

if TYPE_CHECKING:
    from ..app import Server

SETUP_PATIENCE = 1.0
"""Seconds that `/setup` gives a model to load, so that it can name its version; Label Studio waits for 3."""

TRAIN_PATIENCE = 60.0
"""Seconds that `/train` gives a class to load, so that it can name the job; Label Studio waits for 100."""


class Api:
    """The handlers, over one server."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._confirmed: dict[str, tuple[int, str]] = {}
        self._chores: set[asyncio.Task[Any]] = set()

    def operations(self) -> list[tuple[Operation, Handler]]:
        """Every call, for the router and for the OpenAPI document."""
        project = (("project", NAME),)
        return [
            (post("/setup", "Label Studio connects.", requests.SetupRequest, replies.Setup), self.setup),
            (
                post("/predict", "Predict for tasks.", requests.PredictRequest, replies.Predictions, (200, 500)),
                Predict(self._server),
            ),
            (
                post("/webhook", "Something happened.", requests.WebhookRequest, replies.Stored, (201,)),
                self.webhook,
            ),
            (post("/train", "Train on these tasks.", requests.TrainRequest, replies.Started, (201,)), self.train),
            (
                post("/job_status", "How a training is.", requests.JobStatusRequest, replies.JobStatus, (200, 410)),
                self.job_status,
            ),
            (
                get("/is_training", "Whether a project is being trained.", replies.Training, query=project),
                self.is_training,
            ),
            (
                get("/versions", "Names of all versions, newest first.", replies.VersionNames, query=project),
                self.all_versions,
            ),
            (
                post("/versions", "Names of a project's versions.", requests.ProjectRequest, replies.VersionNames),
                self.project_versions,
            ),
            (post("/delete", "Forget a project.", requests.ProjectRequest, replies.Done), self.delete),
            (
                post(
                    "/duplicate_model",
                    "Copy a model to a project.",
                    requests.DuplicateRequest,
                    replies.Done,
                    (200, 404),
                ),
                self.duplicate,
            ),
            (post("/validate", "Check a labeling config.", requests.ValidateRequest, replies.Done), self.validate),
        ]

    # --- connecting and predicting ---------------------------------------------------------------------

    async def setup(self, request: Request) -> Response:
        """`POST /setup`: remember the project; answer with the version that predicts for it."""
        server = self._server
        message = await self._read(request, requests.SetupRequest)
        project_id = requests.project_key(message.project)
        if message.schema:
            self._check_config(message.schema, "schema")
        hostname = requests.without_nul(message.hostname, "hostname")
        token = requests.without_nul(message.access_token, "access_token")
        if isinstance(message.extra_params, str):
            requests.without_nul(message.extra_params, "extra_params")
        logs.hide(token)
        await server.database.write_async(
            projects.save,
            project_id,
            label_config=message.schema,
            hostname=hostname,
            access_token=token,
            extra_params=requests.typed_object(message.extra_params),
        )
        await server.serving.know(project_id)
        await self._confirm(project_id, message)
        return JSONResponse({"model_version": server.serving.name(project_id)})

    async def _confirm(self, project_id: str, message: requests.SetupRequest) -> None:
        """Have the model loaded and its version named, if that takes no more than a moment."""
        server = self._server
        label_config = message.schema
        digest = hashlib.sha256(msgspec.json.encode(message)).hexdigest()
        key = (server.serving.number(project_id), digest)
        if self._confirmed.get(project_id) == key:
            return
        if server.runner.status.state == "failed":
            server.runner.retry()
            raise LoadError(server.runner.status.error)

        async def warm() -> None:
            name = await server.runner.warm(project_id, label_config)
            server.serving.named(project_id, key[0], name)
            self._confirmed[project_id] = key

        task = asyncio.get_running_loop().create_task(warm())
        self._chores.add(task)
        task.add_done_callback(self._chores.discard)
        done, _ = await asyncio.wait({task}, timeout=SETUP_PATIENCE)
        if done:
            with contextlib.suppress(WorkerDied):  # its replacement will be asked by the next prediction
                task.result()
        else:
            task.add_done_callback(_retrieve)

    # --- events and training ---------------------------------------------------------------------------

    async def webhook(self, request: Request) -> Response:
        """`POST /webhook`: the event is on disk before the reply."""
        raw = await self._body(request)
        message = requests.decode_whole(raw, requests.WebhookRequest)
        job_id = await self._store(
            Arrival(
                project_id=message.project_key,
                action=requests.name(message.action, "action"),
                payload=raw,
                label_config=requests.harmless_config(message.config),
                touched=protocol.touched(message.action, msgspec.json.decode(raw)),
            )
        )
        await self._server.settle_in_process()
        reply: dict[str, Any] = {"status": "ok"}
        if job_id is not None:
            reply["job"] = job_id
        return JSONResponse(reply, 201)

    async def train(self, request: Request) -> Response:
        """`POST /train` of older Label Studio versions."""
        raw = await self._body(request)
        message = requests.decode_whole(raw, requests.TrainRequest)
        if not message.annotations:
            raise RequestError("The field `annotations` of the request is empty; there is nothing to train on.")
        project = message.project
        key = requests.project_key(project.id if isinstance(project, requests.WebhookProject) else project)
        known = self._server.runner.status.description is not None
        label_config = requests.harmless_config(message.label_config)
        job_id = await self._store(
            Arrival(project_id=key, action=protocol.START_TRAINING, payload=raw, label_config=label_config)
        )
        await self._server.settle_in_process()
        if job_id is None and not known:
            job_id = await self._job_to_come(key)
        return JSONResponse({"job": job_id} if job_id else {}, 201)

    async def _job_to_come(self, project_id: str) -> str | None:
        """The job that a stored event becomes once the class is known to learn; None if it does not in time."""
        deadline = time.monotonic() + TRAIN_PATIENCE
        while time.monotonic() < deadline:
            description = self._server.runner.status.description
            if description is not None and not description.learns:
                return None
            recent = await self._server.database.read_async(jobs.recent, project_id, 1)
            if recent and recent[0].active:
                return recent[0].id
            await asyncio.sleep(0.1)
        return None

    async def _store(self, arrival: Arrival) -> str | None:
        server = self._server
        try:
            job_id = await server.intake.add(arrival)
        except StoreError as error:
            self._server.state.store_problem = str(error)
            raise
        self._server.state.store_problem = ""
        server.metrics.events.inc()
        server.scheduler.nudge()
        return job_id

    async def job_status(self, request: Request) -> Response:
        """`POST /job_status`."""
        message = await self._read(request, requests.JobStatusRequest)
        wanted = requests.name(message.job, "job")
        job = await self._server.database.read_async(jobs.get, wanted)
        if job is None:
            return JSONResponse({"error": f"There is no job {wanted}."}, 410)
        return JSONResponse(_job(job, await self._settling(job.project_id)))

    async def is_training(self, request: Request) -> Response:
        """`GET /is_training?project=…`."""
        project_id = requests.project_key(request.query_params.get("project"))
        await self._known(project_id)
        recent = await self._server.database.read_async(jobs.recent, project_id or None, 1)
        settling = await self._settling(project_id)
        active = bool(settling) or await self._server.database.read_async(jobs.any_active, project_id or None)
        reply: dict[str, Any] = {"is_training": active, "model_version": self._server.serving.name(project_id)}
        if recent:
            reply["job"] = _job(recent[0], settling)
        return JSONResponse(reply)

    async def _settling(self, project_id: str) -> int | None:
        """Number of the version that is trained but not served yet; until then its training is not over."""
        waiting = await self._server.database.read_async(versions.untried)
        return waiting.get(project_id) if project_id else next(iter(waiting.values()), None)

    async def all_versions(self, request: Request) -> Response:
        """`GET /versions`: of the project in the query, or of all; Label Studio names none."""
        return await self._versions(requests.project_key(request.query_params.get("project")) or None)

    async def project_versions(self, request: Request) -> Response:
        """`POST /versions` of older Label Studio versions."""
        message = await self._read(request, requests.ProjectRequest)
        return await self._versions(requests.project_key(message.project))

    async def _versions(self, project_id: str | None) -> Response:
        found = await self._server.database.read_async(versions.of_project, project_id)
        names = list(dict.fromkeys(version.name for version in found if version.state == "ready"))
        return JSONResponse({"versions": names, "model_dir": str(self._server.settings.model_dir)})

    # --- projects --------------------------------------------------------------------------------------

    async def delete(self, request: Request) -> Response:
        """`POST /delete`."""
        message = await self._read(request, requests.ProjectRequest)
        project_id = requests.project_key(message.project)
        database, model_dir = self._server.database, self._server.settings.model_dir
        job_ids = await database.write_async(projects.remove, project_id)
        await asyncio.to_thread(cleanup.remove_project, database, model_dir, project_id, job_ids)
        self._server.serving.forget(project_id)
        self._confirmed.pop(project_id, None)
        self._server.state.forget(project_id)
        return JSONResponse({"status": "ok"})

    async def duplicate(self, request: Request) -> Response:
        """`POST /duplicate_model`: the target starts from the source's active version."""
        message = await self._read(request, requests.DuplicateRequest)
        source, target = requests.project_key(message.project_src), requests.project_key(message.project_dst)
        await self._server.database.write_async(projects.duplicate_model, source, target)
        self._server.serving.forget(target)
        await self._server.serving.refresh()
        return JSONResponse({"status": "ok"})

    async def validate(self, request: Request) -> Response:
        """`POST /validate`: whether a labeling config is well-formed."""
        message = await self._read(request, requests.ValidateRequest)
        self._check_config(message.config, "config")
        return JSONResponse({"status": "ok"})

    # --- helpers ---------------------------------------------------------------------------------------

    async def _body(self, request: Request) -> bytes:
        return await limits.read_body(request.scope, request.receive, self._server.settings.max_body_size)

    async def _read(self, request: Request, kind: type[requests.T]) -> requests.T:
        return requests.decode(await self._body(request), kind)

    async def _known(self, project_id: str) -> None:
        if not project_id:
            return
        with contextlib.suppress(StoreError):
            known = await self._server.database.read_async(projects.get, project_id)
            if known is not None:
                await self._server.serving.know(project_id)

    @staticmethod
    def _check_config(config: str, field: str) -> None:
        problem = requests.config_problem(config)
        if problem:
            raise RequestError(f"The field `{field}` of the request is not a labeling config: {problem}.")


def _job(job: jobs.Job, settling: int | None) -> dict[str, Any]:
    state = job.state
    if state is jobs.JobState.FINISHED and job.version is not None and job.version == settling:
        state = jobs.JobState.STARTED  # nobody can see its result yet
    known = {
        "job": job.id,
        "job_status": state.value,
        "project": job.project_id,
        "created_at": job.created_at,
        "started_at": job.started_at,
        "finished_at": job.finished_at,
        "attempts": job.attempts,
        "progress": job.fraction,
        "metrics": job.metrics or None,
        "error": job.error,
    }
    return {name: value for name, value in known.items() if value is not None}


def _retrieve(task: asyncio.Task[Any]) -> None:
    """Take note of a late failure, so that nobody warns that it was never looked at; the worker logged it."""
    if not task.cancelled():
        task.exception()
