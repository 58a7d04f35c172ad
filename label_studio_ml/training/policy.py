"""Which events train, and what they become: every event is a job (generation 2), or joins one (generation 1)."""

from __future__ import annotations

from sqlalchemy import Connection

from ..backend.answers import Description
from ..protocol import events as protocol
from ..store import events, jobs


def take_up(
    connection: Connection, event_id: int, project_id: str, action: str, description: Description
) -> str | None:
    """Turn a stored event into work; returns the id of the job it belongs to, None when it trains nothing.

    A generation-1 fit() learns from the whole annotated set, so one waiting job serves all events until it starts.
    A generation-2 fit() gets every event, in order, each in a job of its own.
    """
    if not project_id or not description.learns or not protocol.trains(action, description.train_events):
        events.settle(connection, event_id)
        return None
    job_id = jobs.waiting(connection, project_id) if description.generation == 1 else None
    job_id = job_id or jobs.add(connection, project_id, action)
    events.assign(connection, event_id, job_id)
    return job_id
