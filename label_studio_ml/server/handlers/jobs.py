"""Trainings, as Label Studio asks for them, and for people and the command line."""

from __future__ import annotations

import asyncio
import contextlib
import re

from ...errors import Gone, NotFound, RequestError, StoreError
from ...store import jobs, projects, versions
from ...store.database import Database
from ...train.manage import Manager
from ...wire import replies, requests
from ...wire.replies import known
from ..active_versions import ActiveVersions
from ..operations import NAME, get, post
from ..training import Training

_OFFSET = {"type": "string", "pattern": r"^[0-9]{1,18}$"}


class Jobs:
    """How trainings are, and what becomes of them."""

    def __init__(self, database: Database, active: ActiveVersions, manager: Manager, training: Training) -> None:
        self._database, self._active = database, active
        self._manager, self._training = manager, training

    @post("/job_status", "How a training is.", raises=(Gone,))
    async def job_status(self, message: requests.JobStatusRequest) -> replies.JobStatus:
        """`POST /job_status`."""
        wanted = requests.name(message.job, "job")
        job = await self._database.read_async(jobs.get, wanted)
        if job is None:
            raise Gone(f"There is no job {wanted}.")
        return _job_status(job, await self._untried(job.project_id))

    @get("/is_training", "Whether a project is being trained.", query={"project": NAME})
    async def is_training(self, project: str | None = None) -> replies.Training:
        """`GET /is_training?project=…`: of the project, or of any."""
        project_id = requests.project_key(project)
        await self._recall(project_id)
        recent = await self._database.read_async(jobs.recent, project_id or None, 1)
        untried = await self._untried(project_id)
        active = bool(untried) or await self._database.read_async(jobs.any_active, project_id or None)
        newest = _job_status(recent[0], untried) if recent else None
        return replies.Training(active, self._active.name(project_id), known(newest))

    async def _recall(self, project_id: str) -> None:
        """Learn the name of a known project's version, if nobody has asked since the start."""
        if not project_id:
            return
        with contextlib.suppress(StoreError):
            if await self._database.read_async(projects.get, project_id) is not None:
                await self._active.know(project_id)

    async def _untried(self, project_id: str) -> int | None:
        """Number of the version that is trained but does not predict yet; until then its training is not over."""
        waiting = await self._database.read_async(versions.untried)
        return waiting.get(project_id) if project_id else next(iter(waiting.values()), None)

    @get("/jobs", "The newest jobs.", query={"project": NAME})
    async def list_jobs(self, project: str = "") -> replies.Jobs:
        """`GET /jobs?project=…`."""
        wanted = requests.name(project, "project") or None
        return replies.Jobs(await asyncio.to_thread(self._manager.list_jobs, wanted))

    @get("/jobs/{job}", "One job.", raises=(NotFound,))
    async def show_job(self, job: str) -> replies.JobDetails:
        """`GET /jobs/{job}`."""
        return await asyncio.to_thread(self._manager.show_job, job)

    @get("/jobs/{job}/log", "What a job printed.", query={"offset": _OFFSET}, raises=(NotFound,))
    async def job_log(self, job: str, offset: str = "0") -> replies.JobLog:
        """`GET /jobs/{job}/log?offset=…`."""
        if not re.fullmatch(r"\d{1,18}", offset, re.ASCII):
            raise RequestError("The query's `offset` must be a whole number.")
        return await asyncio.to_thread(self._manager.job_log, job, int(offset))

    @post("/jobs/{job}/cancel", "End a job.", raises=(NotFound,))
    async def cancel_job(self, job: str) -> replies.JobDetails:
        """`POST /jobs/{job}/cancel`."""
        return await asyncio.to_thread(self._manager.cancel_job, job)

    @post("/jobs/{job}/retry", "Run a job once more.", raises=(NotFound,))
    async def retry_job(self, job: str) -> replies.JobDetails:
        """`POST /jobs/{job}/retry`."""
        again = await asyncio.to_thread(self._manager.retry_job, job)
        await self._training.begin()
        return again


def _job_status(job: jobs.Job, untried: int | None) -> replies.JobStatus:
    state = job.state
    if state is jobs.JobState.FINISHED and job.version is not None and job.version == untried:
        state = jobs.JobState.STARTED  # nobody can see its result yet
    return replies.JobStatus(
        job=job.id,
        job_status=state.value,
        project=job.project_id,
        created_at=job.created_at,
        attempts=job.attempts,
        started_at=known(job.started_at),
        finished_at=known(job.finished_at),
        progress=known(job.fraction),
        metrics=known(job.metrics or None),
        error=known(job.error),
    )
