"""Events: what webhooks brought, on disk before they are acknowledged."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, bindparam, delete, insert, select, update

from .tables import events, record

_PAGE = 200

# Statements that every event needs, built once: building one takes longer than running it.
_ADD = insert(events).returning(events.c.id, sort_by_parameter_order=True)
_PENDING = (
    select(events.c.id, events.c.action)
    .where(events.c.project_id == bindparam("project"), events.c.processed_at.is_(None), events.c.job_id.is_(None))
    .order_by(events.c.id)
)
_ASSIGN = update(events).where(events.c.id.in_(bindparam("some", expanding=True))).values(job_id=bindparam("job"))


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One event."""

    id: int
    """Rises in the order in which events came."""
    project_id: str
    """The project; empty when the event names none."""
    action: str
    """What happened, as Label Studio calls it, such as `ANNOTATION_CREATED`."""
    payload: bytes
    """The body as it came, in JSON."""
    received_at: float
    """When it was stored."""
    job_id: str | None = None
    """The job that has taken it up."""

    @property
    def data(self) -> dict[str, Any]:
        """The body, decoded."""
        return msgspec.json.decode(self.payload, type=dict[str, Any])


def add(connection: Connection, project_id: str, action: str, payload: bytes) -> int:
    """Store an event and return its id."""
    return add_all(connection, [(project_id, action, payload)])[0]


def add_all(connection: Connection, several: Iterable[tuple[str, str, bytes]]) -> list[int]:
    """Store events, each (project, action, payload), and return their ids, which rise in the given order."""
    now = time.time()
    rows = [
        {"project_id": project_id, "action": action, "payload": payload, "received_at": now}
        for project_id, action, payload in several
    ]
    return list(connection.execute(_ADD, rows).scalars())


def pending(connection: Connection, project_id: str) -> dict[int, str]:
    """Ids and actions of a project's events that no job has taken up yet, oldest first."""
    return {row[0]: row[1] for row in connection.execute(_PENDING, {"project": project_id})}


def projects_pending(connection: Connection) -> list[str]:
    """Projects with events that no job has taken up yet."""
    query = select(events.c.project_id).where(events.c.processed_at.is_(None), events.c.job_id.is_(None))
    return list(connection.execute(query.distinct()).scalars())


def assign(connection: Connection, event_ids: Sequence[int], job_id: str) -> None:
    """Hand events to a job."""
    for some in _portions(event_ids):
        connection.execute(_ASSIGN, {"some": some, "job": job_id})


def settle(connection: Connection, event_ids: Sequence[int]) -> None:
    """These events need no training."""
    for some in _portions(event_ids):
        connection.execute(update(events).where(events.c.id.in_(some)).values(processed_at=time.time()))


def settle_job(connection: Connection, job_id: str) -> None:
    """The job is over, one way or the other; so are its events."""
    connection.execute(update(events).where(events.c.job_id == job_id).values(processed_at=time.time()))


def reassign(connection: Connection, old_job: str, new_job: str) -> None:
    """Hand the events of a job that is over to another."""
    connection.execute(update(events).where(events.c.job_id == old_job).values(job_id=new_job, processed_at=None))


def prune(connection: Connection, project_id: str, before: float) -> int:
    """Delete a project's events that were processed before a time; returns how many."""
    return connection.execute(
        delete(events).where(events.c.project_id == project_id, events.c.processed_at < before)
    ).rowcount


def of_job(connection: Connection, job_id: str) -> list[Event]:
    """The events of a job, oldest first."""
    query = select(events).where(events.c.job_id == job_id).order_by(events.c.id)
    return [record(row, Event) for row in connection.execute(query).mappings()]


def of_project(connection: Connection, project_id: str, until: int | None = None) -> Iterator[Event]:
    """Every event of a project up to an id, oldest first, read page by page."""
    last = 0
    while True:
        query = select(events).where(events.c.project_id == project_id, events.c.id > last)
        if until is not None:
            query = query.where(events.c.id <= until)
        page = connection.execute(query.order_by(events.c.id).limit(_PAGE)).mappings().all()
        yield from (record(row, Event) for row in page)
        if len(page) < _PAGE:
            return
        last = page[-1]["id"]


def _portions(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    """Databases limit how many parameters a statement may have."""
    return (ids[start : start + _PAGE] for start in range(0, len(ids), _PAGE))
