"""Jobs: runs of fit(). How they get from one state to another: `transitions`."""

from __future__ import annotations

import enum
import time
import uuid
from typing import Any

import msgspec
from sqlalchemy import Connection, bindparam, delete, exists, func, insert, select, update

from ..errors import NotFound, RequestError
from . import events
from .tables import events as events_table
from .tables import jobs, record, versions

_PORTION = 200
_TICK = 1e-6
"""Seconds between two jobs of a project, at the least: their order is that of `created_at`."""


class JobState(str, enum.Enum):
    """Where a job is."""

    QUEUED = "queued"  # waits for a trainer
    STARTED = "started"  # a trainer runs it and renews its lease
    FINISHED = "finished"  # fit() returned
    FAILED = "failed"  # fit() raised, or the trainer died too often
    CANCELLED = "cancelled"  # somebody did not want it any more

    @property
    def active(self) -> bool:
        """Whether a job in this state waits or runs."""
        return self in (JobState.QUEUED, JobState.STARTED)


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One run of fit()."""

    id: str
    """Sorts by the time at which it was queued."""
    project_id: str
    """The project that is trained."""
    state: JobState
    """Where it is."""
    action: str
    """What started it: the name of an event, or of a call."""
    created_at: float
    """When it was queued; a project's jobs start in this order."""
    started_at: float | None = None
    """When its newest attempt began."""
    finished_at: float | None = None
    """When it was over."""
    attempts: int = 0
    """Times that a trainer took it up, those left out that ended for a reason outside."""
    lease_owner: str | None = None
    """Who runs it: a server, and this attempt."""
    lease_until: float | None = None
    """Changes whenever that server renews the lease: the end of it by that server's clock."""
    not_before: float = 0.0
    """The earliest time for it to start."""
    postponed: int = 0
    """Times that it was put off because Label Studio could not be reached."""
    cancel_requested: bool = False
    """Whether it is to be ended while it runs."""
    fraction: float | None = None
    """How much of fit() is done, 0 to 1, as far as the author says."""
    metrics: dict[str, float] = {}
    """What the author's progress() and evaluate() said."""
    version: int | None = None
    """Number of the version that came of it."""
    error: str | None = None
    """What went wrong, in one line."""
    error_detail: str | None = None
    """All of it, with where it was raised."""

    @property
    def active(self) -> bool:
        """Whether it waits or runs."""
        return self.state.active


_ACTIVE = [state.value for state in JobState if state.active]


def _job(row: Any) -> Job:
    return record(row, Job)


def new_id() -> str:
    """An id for a job; sorts by time."""
    return f"{int(time.time() * 1000):013d}-{uuid.uuid4().hex[:8]}"


# Built once: every event needs them.
_WAITING = (
    select(jobs)
    .where(jobs.c.project_id == bindparam("project"), jobs.c.state == JobState.QUEUED.value)
    .order_by(jobs.c.created_at.desc(), jobs.c.id.desc())
    .limit(1)
)
_DELAY = (
    update(jobs)
    .where(
        jobs.c.id == bindparam("job"),
        jobs.c.state == JobState.QUEUED.value,
        jobs.c.attempts == 0,
        jobs.c.postponed == 0,
    )
    .values(not_before=bindparam("due"))
)


def add(
    connection: Connection, project_id: str, action: str, job_id: str | None = None, *, not_before: float = 0.0
) -> str:
    """Queue a job that may start at `not_before`, and return its id.

    It counts as created after those of its project that are not over, also when the clock was set back meanwhile.
    """
    job_id = job_id or new_id()
    of_project = (jobs.c.project_id == project_id, jobs.c.state.in_(_ACTIVE))
    latest = connection.execute(select(func.max(jobs.c.created_at)).where(*of_project)).scalar() or 0.0
    connection.execute(
        insert(jobs).values(
            id=job_id,
            project_id=project_id,
            state=JobState.QUEUED.value,
            action=action,
            created_at=max(time.time(), latest + _TICK),
            not_before=not_before,
        )
    )
    return job_id


def delay(connection: Connection, job_id: str, not_before: float) -> None:
    """A job that waits and has never run may start at another time."""
    connection.execute(_DELAY, {"job": job_id, "due": not_before})


def shift(connection: Connection, seconds: float) -> None:
    """The clock was set, `seconds` forward: jobs that wait for a time wait for the same moment as before."""
    connection.execute(
        update(jobs)
        .where(jobs.c.state == JobState.QUEUED.value, jobs.c.not_before > 0)
        .values(not_before=jobs.c.not_before + seconds)
    )


def get(connection: Connection, job_id: str) -> Job | None:
    """One job."""
    row = connection.execute(select(jobs).where(jobs.c.id == job_id)).mappings().first()
    return None if row is None else _job(row)


def existing(connection: Connection, job_id: str) -> Job:
    """One job.

    Raises:
        NotFound: there is no such job.
    """
    job = get(connection, job_id)
    if job is None:
        raise NotFound(f"There is no job {job_id}.")
    return job


def recent(connection: Connection, project_id: str | None = None, limit: int = 50) -> list[Job]:
    """Jobs of one project or of all, newest first."""
    query = select(jobs).order_by(jobs.c.created_at.desc(), jobs.c.id.desc()).limit(limit)
    if project_id is not None:
        query = query.where(jobs.c.project_id == project_id)
    return [_job(row) for row in connection.execute(query).mappings()]


def waiting(connection: Connection, project_id: str) -> Job | None:
    """The project's queued job, if there is one; the newest."""
    row = connection.execute(_WAITING, {"project": project_id}).mappings().first()
    return None if row is None else _job(row)


def renew(connection: Connection, owner: str, lease: float) -> None:
    """Keep what `owner` runs."""
    connection.execute(
        update(jobs)
        .where(jobs.c.lease_owner == owner, jobs.c.state == JobState.STARTED.value)
        .values(lease_until=time.time() + lease)
    )


def report(
    connection: Connection, job_id: str, owner: str, fraction: float | None, metrics: dict[str, float]
) -> None:
    """What fit() says about its progress."""
    connection.execute(
        update(jobs)
        .where(jobs.c.id == job_id, jobs.c.state == JobState.STARTED.value, jobs.c.lease_owner == owner)
        .values(fraction=fraction, metrics=metrics)
    )


def retry(connection: Connection, job_id: str) -> str:
    """Queue a new job with the events of one that is over, and return its id.

    Raises:
        NotFound: there is no such job.
        RequestError: it is not over.
    """
    job = existing(connection, job_id)
    if job.active:
        raise RequestError(f"Job {job_id} is {job.state.value}; only a job that is over can be tried again.")
    again = add(connection, job.project_id, job.action)
    events.reassign(connection, job_id, again)
    return again


def prune(connection: Connection, before: float) -> list[str]:
    """Delete jobs that were over before a time and left neither a version nor events; returns their ids."""
    query = select(jobs.c.id).where(
        jobs.c.finished_at < before,
        ~exists().where(versions.c.job_id == jobs.c.id),
        ~exists().where(events_table.c.job_id == jobs.c.id),
    )
    old = list(connection.execute(query).scalars())
    for start in range(0, len(old), _PORTION):
        connection.execute(delete(jobs).where(jobs.c.id.in_(old[start : start + _PORTION])))
    return old


def next_due(connection: Connection) -> float | None:
    """When the next waiting job may start; None when none waits."""
    query = select(func.min(jobs.c.not_before)).where(jobs.c.state == JobState.QUEUED.value)
    due: float | None = connection.execute(query).scalar()
    return due


def any_active(connection: Connection, project_id: str | None = None) -> bool:
    """Whether a job of the project, or of any, waits or runs."""
    query = select(jobs.c.id).where(jobs.c.state.in_(_ACTIVE))
    if project_id is not None:
        query = query.where(jobs.c.project_id == project_id)
    return connection.execute(query.limit(1)).first() is not None


def started(connection: Connection) -> list[Job]:
    """Jobs that run, as far as the store knows."""
    query = select(jobs).where(jobs.c.state == JobState.STARTED.value)
    return [_job(row) for row in connection.execute(query).mappings()]
