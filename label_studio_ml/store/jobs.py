"""Jobs: runs of fit().

queued -> started -> finished
   ^         |  `--> failed
   |         |  `--> cancelled
   `---------'  the trainer died (three attempts)
"""

from __future__ import annotations

import enum
import time
import uuid
from typing import Any

import msgspec
from sqlalchemy import Connection, bindparam, delete, exists, func, insert, select, tuple_, update

from ..errors import NotFound, RequestError
from . import events
from .tables import events as events_table
from .tables import jobs, record, versions

MAX_ATTEMPTS = 3

_PORTION = 200
_TICK = 1e-6
"""Seconds between two jobs of a project, at the least: their order is that of `created_at`."""


class State(str, enum.Enum):
    """Where a job is."""

    QUEUED = "queued"  # waits for a trainer
    STARTED = "started"  # a trainer runs it and renews its lease
    FINISHED = "finished"  # fit() returned
    FAILED = "failed"  # fit() raised, or the trainer died too often
    CANCELLED = "cancelled"  # somebody did not want it any more


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One run of fit(). Times in seconds since 1970; `fraction` of it done; `error` is one line, the detail all."""

    id: str
    project_id: str
    state: State
    action: str
    created_at: float
    started_at: float | None = None
    finished_at: float | None = None
    attempts: int = 0
    lease_owner: str | None = None
    lease_until: float | None = None
    not_before: float = 0.0
    postponed: int = 0
    cancel_requested: bool = False
    fraction: float | None = None
    metrics: dict[str, float] = {}
    version: int | None = None
    error: str | None = None
    error_detail: str | None = None

    @property
    def active(self) -> bool:
        """Whether it waits or runs."""
        return self.state in (State.QUEUED, State.STARTED)


def _job(row: Any) -> Job:
    return record(row, Job)


def new_id() -> str:
    """An id for a job; sorts by time."""
    return f"{int(time.time() * 1000):013d}-{uuid.uuid4().hex[:8]}"


# Built once: every event needs them.
_WAITING = (
    select(jobs)
    .where(jobs.c.project_id == bindparam("project"), jobs.c.state == State.QUEUED.value)
    .order_by(jobs.c.created_at.desc(), jobs.c.id.desc())
    .limit(1)
)
_DELAY = (
    update(jobs)
    .where(
        jobs.c.id == bindparam("job"),
        jobs.c.state == State.QUEUED.value,
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
    of_project = (jobs.c.project_id == project_id, jobs.c.state.in_([State.QUEUED.value, State.STARTED.value]))
    latest = connection.execute(select(func.max(jobs.c.created_at)).where(*of_project)).scalar() or 0.0
    connection.execute(
        insert(jobs).values(
            id=job_id,
            project_id=project_id,
            state=State.QUEUED.value,
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
        .where(jobs.c.state == State.QUEUED.value, jobs.c.not_before > 0)
        .values(not_before=jobs.c.not_before + seconds)
    )


def get(connection: Connection, job_id: str) -> Job | None:
    """One job."""
    row = connection.execute(select(jobs).where(jobs.c.id == job_id)).mappings().first()
    return None if row is None else _job(row)


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


def claim(connection: Connection, owner: str, lease: float, *, now: float | None = None) -> Job | None:
    """Take the oldest job that is due, of a project that trains nothing else. queued -> started.

    A project's jobs start in the order in which they came, also when the first of them has to wait.
    """
    now = time.time() if now is None else now
    busy, earlier = jobs.alias("busy"), jobs.alias("earlier")
    query = (
        select(jobs.c.id)
        .where(
            jobs.c.state == State.QUEUED.value,
            jobs.c.not_before <= now,
            ~exists().where(busy.c.project_id == jobs.c.project_id, busy.c.state == State.STARTED.value),
            ~exists().where(
                earlier.c.project_id == jobs.c.project_id,
                earlier.c.state == State.QUEUED.value,
                tuple_(earlier.c.created_at, earlier.c.id) < tuple_(jobs.c.created_at, jobs.c.id),
            ),
        )
        .order_by(jobs.c.created_at, jobs.c.id)
        .limit(1)
    )
    job_id = connection.execute(query).scalar()
    if job_id is None:
        return None
    claimed = connection.execute(
        update(jobs)
        .where(jobs.c.id == job_id, jobs.c.state == State.QUEUED.value)
        .values(
            state=State.STARTED.value,
            started_at=now,
            attempts=jobs.c.attempts + 1,
            lease_owner=owner,
            lease_until=now + lease,
        )
    )
    return get(connection, job_id) if claimed.rowcount == 1 else None


def renew(connection: Connection, owner: str, lease: float) -> None:
    """Keep the jobs that `owner` runs."""
    connection.execute(
        update(jobs)
        .where(jobs.c.lease_owner == owner, jobs.c.state == State.STARTED.value)
        .values(lease_until=time.time() + lease)
    )


def finish(connection: Connection, job_id: str, owner: str, version: int | None) -> bool:
    """Started -> finished, with its events; False when the job is no longer `owner`'s to finish."""
    return _end(connection, job_id, owner, State.FINISHED, version=version, error=None)


def fail(connection: Connection, job_id: str, owner: str, error: str, detail: str) -> bool:
    """Started -> failed, with its events; False when the job is no longer `owner`'s."""
    return _end(connection, job_id, owner, State.FAILED, error=error, error_detail=detail)


def release(connection: Connection, job_id: str, owner: str, error: str) -> State | None:
    """The trainer died: started -> queued, or failed after the last attempt. Returns the new state.

    A job that was being cancelled is cancelled now.
    """
    job = get(connection, job_id)
    if job is None or job.state is not State.STARTED or job.lease_owner != owner:
        return None
    if job.cancel_requested:
        end_cancelled(connection, job_id, owner)
        return State.CANCELLED
    if job.attempts >= MAX_ATTEMPTS:
        fail(connection, job_id, owner, f"{error} {job.attempts} attempts were made.", error)
        return State.FAILED
    released = connection.execute(
        update(jobs)
        .where(jobs.c.id == job_id, jobs.c.state == State.STARTED.value, jobs.c.lease_owner == owner)
        .values(
            state=State.QUEUED.value,
            lease_owner=None,
            lease_until=None,
            error=error,
            not_before=time.time() + 2.0**job.attempts,
        )
    )
    return State.QUEUED if released.rowcount == 1 else None


def postpone(connection: Connection, job_id: str, owner: str, reason: str) -> float | None:
    """Something outside is not there: started -> queued, the attempt does not count.

    Returns:
        Seconds to wait; None when the job is not `owner`'s, or was being cancelled, which it is now.
    """
    job = get(connection, job_id)
    if job is None or job.lease_owner != owner:
        return None
    if job.cancel_requested:
        end_cancelled(connection, job_id, owner)
        return None
    seconds = min(5.0 * 2.0**job.postponed, 300.0)
    connection.execute(
        update(jobs)
        .where(jobs.c.id == job_id, jobs.c.state == State.STARTED.value, jobs.c.lease_owner == owner)
        .values(
            state=State.QUEUED.value,
            attempts=jobs.c.attempts - 1,
            postponed=jobs.c.postponed + 1,
            not_before=time.time() + seconds,
            lease_owner=None,
            lease_until=None,
            error=reason,
        )
    )
    return seconds


def report(
    connection: Connection, job_id: str, owner: str, fraction: float | None, metrics: dict[str, float]
) -> None:
    """What fit() says about its progress."""
    connection.execute(
        update(jobs)
        .where(jobs.c.id == job_id, jobs.c.state == State.STARTED.value, jobs.c.lease_owner == owner)
        .values(fraction=fraction, metrics=metrics)
    )


def cancel(connection: Connection, job_id: str) -> State:
    """Nobody wants this job any more. queued -> cancelled at once; one that runs is ended by whoever runs it.

    Returns:
        The state now: a job that was over already keeps its own.

    Raises:
        NotFound: there is no such job.
    """
    job = _existing(connection, job_id)
    if job.state is State.STARTED:
        connection.execute(update(jobs).where(jobs.c.id == job_id).values(cancel_requested=True))
        return State.STARTED
    if job.state is not State.QUEUED:
        return job.state
    connection.execute(
        update(jobs)
        .where(jobs.c.id == job_id, jobs.c.state == State.QUEUED.value)
        .values(state=State.CANCELLED.value, finished_at=time.time())
    )
    events.settle_job(connection, job_id)
    return State.CANCELLED


def end_cancelled(connection: Connection, job_id: str, owner: str) -> bool:
    """Started -> cancelled, with its events."""
    return _end(connection, job_id, owner, State.CANCELLED, error="Cancelled.")


def retry(connection: Connection, job_id: str) -> str:
    """Queue a new job with the events of one that is over, and return its id.

    Raises:
        NotFound: there is no such job.
        RequestError: it is not over.
    """
    job = _existing(connection, job_id)
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
    query = select(func.min(jobs.c.not_before)).where(jobs.c.state == State.QUEUED.value)
    due: float | None = connection.execute(query).scalar()
    return due


def give_back(connection: Connection, job_id: str, owner: str) -> None:
    """The server stops in order: started -> queued, and the attempt does not count."""
    connection.execute(
        update(jobs)
        .where(jobs.c.id == job_id, jobs.c.state == State.STARTED.value, jobs.c.lease_owner == owner)
        .values(state=State.QUEUED.value, attempts=jobs.c.attempts - 1, lease_owner=None, lease_until=None)
    )


def any_active(connection: Connection, project_id: str | None = None) -> bool:
    """Whether a job of the project, or of any, waits or runs."""
    query = select(jobs.c.id).where(jobs.c.state.in_([State.QUEUED.value, State.STARTED.value]))
    if project_id is not None:
        query = query.where(jobs.c.project_id == project_id)
    return connection.execute(query.limit(1)).first() is not None


def started(connection: Connection) -> list[Job]:
    """Jobs that run, as far as the store knows."""
    query = select(jobs).where(jobs.c.state == State.STARTED.value)
    return [record(row, Job) for row in connection.execute(query).mappings()]


def lease_is_over(job: Job, lease: float) -> bool:
    """Whether nobody has renewed the job's lease of so many seconds in time.

    One that ends much later than a lease takes was given before the clock was set back.
    """
    now = time.time()
    return not now <= (job.lease_until or 0.0) <= now + 10 * lease


def _existing(connection: Connection, job_id: str) -> Job:
    job = get(connection, job_id)
    if job is None:
        raise NotFound(f"There is no job {job_id}.")
    return job


def _end(connection: Connection, job_id: str, owner: str, state: State, **changes: Any) -> bool:
    ended = connection.execute(
        update(jobs)
        .where(jobs.c.id == job_id, jobs.c.state == State.STARTED.value, jobs.c.lease_owner == owner)
        .values(state=state.value, finished_at=time.time(), lease_owner=None, lease_until=None, **changes)
    )
    if ended.rowcount != 1:
        return False
    events.settle_job(connection, job_id)
    return True
