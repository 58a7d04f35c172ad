"""How jobs get from one state to another; what each way is called is written at the top.

queued -> started -> finished
   |  ^      |  `--> failed
   |  |      |  `--> cancelled
   |  `------'
   `---------------> cancelled
"""

from __future__ import annotations

import time
from typing import Any

import msgspec
from sqlalchemy import Connection, exists, select, tuple_, update

from . import events
from .jobs import Job, JobState, existing, get
from .tables import jobs

MAX_ATTEMPTS = 3
"""Times that a job is given back because its trainer died; then it has failed."""

_FIRST_WAIT, _LONGEST_WAIT = 5.0, 300.0
"""Seconds that a postponed job waits: at first, and at most. Each wait is twice as long as the one before."""


class _Transition(msgspec.Struct, frozen=True):
    """From a state to another. Out of `started` only the owner of the lease can move a job, and gives it up."""

    before: JobState
    after: JobState


_CLAIM = _Transition(JobState.QUEUED, JobState.STARTED)  # a trainer takes it up
_WITHDRAW = _Transition(JobState.QUEUED, JobState.CANCELLED)  # nobody wants it any more, and it has not begun
_GIVE_BACK = _Transition(JobState.STARTED, JobState.QUEUED)  # it has to begin again later
_FINISH = _Transition(JobState.STARTED, JobState.FINISHED)  # fit() returned
_FAIL = _Transition(JobState.STARTED, JobState.FAILED)  # fit() raised, or its trainer died too often
_END = _Transition(JobState.STARTED, JobState.CANCELLED)  # nobody wants it any more, and it was ended


def claim(connection: Connection, owner: str, lease: float, *, now: float | None = None) -> Job | None:
    """Take the oldest job that is due, of a project that trains nothing else.

    A project's jobs start in the order in which they came, also when the first of them has to wait.
    """
    now = time.time() if now is None else now
    job_id = _next(connection, now)
    if job_id is None:
        return None
    claimed = _move(
        connection,
        _CLAIM,
        job_id,
        started_at=now,
        attempts=jobs.c.attempts + 1,
        lease_owner=owner,
        lease_until=now + lease,
    )
    return get(connection, job_id) if claimed else None


def _next(connection: Connection, now: float) -> str | None:
    busy, earlier = jobs.alias("busy"), jobs.alias("earlier")
    query = (
        select(jobs.c.id)
        .where(
            jobs.c.state == JobState.QUEUED.value,
            jobs.c.not_before <= now,
            ~exists().where(busy.c.project_id == jobs.c.project_id, busy.c.state == JobState.STARTED.value),
            ~exists().where(
                earlier.c.project_id == jobs.c.project_id,
                earlier.c.state == JobState.QUEUED.value,
                tuple_(earlier.c.created_at, earlier.c.id) < tuple_(jobs.c.created_at, jobs.c.id),
            ),
        )
        .order_by(jobs.c.created_at, jobs.c.id)
        .limit(1)
    )
    found: str | None = connection.execute(query).scalar()
    return found


def finish(connection: Connection, job_id: str, owner: str, version: int | None) -> bool:
    """fit() returned, and left this version; False when the job is no longer `owner`'s to finish."""
    return _move(connection, _FINISH, job_id, owner, version=version, error=None)


def fail(connection: Connection, job_id: str, owner: str, error: str, detail: str) -> bool:
    """fit() raised; False when the job is no longer `owner`'s."""
    return _move(connection, _FAIL, job_id, owner, error=error, error_detail=detail)


def end_cancelled(connection: Connection, job_id: str, owner: str) -> bool:
    """The trainer was ended because nobody wants the job; False when it is no longer `owner`'s."""
    return _move(connection, _END, job_id, owner, error="Cancelled.")


def give_back(connection: Connection, job_id: str, owner: str) -> None:
    """The server stops in order; the attempt does not count."""
    _move(connection, _GIVE_BACK, job_id, owner, attempts=jobs.c.attempts - 1)


def release(connection: Connection, job_id: str, owner: str, error: str) -> JobState | None:
    """The trainer died: the job begins again, or has failed after the last attempt. Returns the new state.

    A job that was being cancelled is cancelled now.
    """
    job = _owned(connection, job_id, owner)
    if job is None:
        return None
    if job.cancel_requested:
        end_cancelled(connection, job_id, owner)
        return JobState.CANCELLED
    if job.attempts >= MAX_ATTEMPTS:
        fail(connection, job_id, owner, f"{error} {job.attempts} attempts were made.", error)
        return JobState.FAILED
    _move(connection, _GIVE_BACK, job_id, owner, error=error, not_before=time.time() + 2.0**job.attempts)
    return JobState.QUEUED


def postpone(connection: Connection, job_id: str, owner: str, reason: str) -> float | None:
    """Something outside is not there: the job begins again later, and the attempt does not count.

    Returns:
        Seconds to wait; None when the job is not `owner`'s, or was being cancelled, which it is now.
    """
    job = _owned(connection, job_id, owner)
    if job is None:
        return None
    if job.cancel_requested:
        end_cancelled(connection, job_id, owner)
        return None
    seconds = min(_FIRST_WAIT * 2.0**job.postponed, _LONGEST_WAIT)
    _move(
        connection,
        _GIVE_BACK,
        job_id,
        owner,
        attempts=jobs.c.attempts - 1,
        postponed=jobs.c.postponed + 1,
        not_before=time.time() + seconds,
        error=reason,
    )
    return seconds


def cancel(connection: Connection, job_id: str) -> JobState:
    """Nobody wants this job any more: one that waits is over at once, one that runs is ended by whoever runs it.

    Returns:
        The state now: a job that was over already keeps its own.

    Raises:
        NotFound: there is no such job.
    """
    job = existing(connection, job_id)
    if job.state is JobState.STARTED:
        connection.execute(update(jobs).where(jobs.c.id == job_id).values(cancel_requested=True))
    elif job.state is JobState.QUEUED:
        _move(connection, _WITHDRAW, job_id)
        return JobState.CANCELLED
    return job.state


def _owned(connection: Connection, job_id: str, owner: str) -> Job | None:
    job = get(connection, job_id)
    mine = job is not None and job.state is JobState.STARTED and job.lease_owner == owner
    return job if mine else None


def _move(
    connection: Connection, transition: _Transition, job_id: str, owner: str | None = None, **changes: Any
) -> bool:
    """Change a job's state, if it is where the transition begins. The events of one that is over are, too."""
    here = [jobs.c.id == job_id, jobs.c.state == transition.before.value]
    if transition.before is JobState.STARTED:
        here.append(jobs.c.lease_owner == owner)
        changes |= {"lease_owner": None, "lease_until": None}
    if not transition.after.active:
        changes["finished_at"] = time.time()
    moved = connection.execute(update(jobs).where(*here).values(state=transition.after.value, **changes))
    if moved.rowcount == 1 and not transition.after.active:
        events.settle_job(connection, job_id)
    return moved.rowcount == 1
