"""Steps that tests take with the jobs of a store: one is queued, claimed, over, has an event."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, text

from label_studio_ml.store import events, jobs, transitions
from label_studio_ml.store.jobs import Job, JobState

Write = Callable[[Callable[[Connection], Any]], Any]
ME, OTHER = "me", "other"


def add(write: Write, project_id: str = "1", action: str = "ANNOTATION_CREATED") -> str:
    job_id: str = write(lambda connection: jobs.add(connection, project_id, action))
    return job_id


def claim(write: Write, owner: str = ME, lease: float = 30, *, later: float = 0) -> Job | None:
    """Claim a job as it will be possible `later` seconds from now."""
    now = time.time() + later
    job: Job | None = write(lambda connection: transitions.claim(connection, owner, lease, now=now))
    return job


def get(write: Write, job_id: str) -> Job:
    job: Job = write(lambda connection: jobs.get(connection, job_id))
    return job


def ended(write: Write, state: JobState, job_id: str | None = None) -> str:
    """A job that ended so."""
    job_id = job_id or add(write)
    if state is JobState.CANCELLED:
        write(lambda connection: transitions.cancel(connection, job_id))
    else:
        claim(write)
        if state is JobState.FAILED:
            write(lambda connection: transitions.fail(connection, job_id, ME, "e", "d"))
        else:
            write(lambda connection: transitions.finish(connection, job_id, ME, 1))
    return job_id


def event_of(write: Write, job_id: str) -> int:
    def change(connection: Connection) -> int:
        event_id = events.add(connection, "1", "ANNOTATION_CREATED", b"{}")
        events.assign(connection, [event_id], job_id)
        return event_id

    found: int = write(change)
    return found


def is_settled(write: Write, event_id: int) -> bool:
    query = text("SELECT processed_at IS NOT NULL FROM events WHERE id = :id")
    return bool(write(lambda connection: connection.execute(query, {"id": event_id}).scalar()))
