"""Projects: what Label Studio told us about each, and which version predicts for it."""

from __future__ import annotations

import time
from typing import Any

import msgspec
from sqlalchemy import Connection, bindparam, delete, insert, select, update

from ..errors import NotFound
from . import values, versions
from .tables import counted_annotations, events, jobs, projects, record

_GET = select(projects).where(projects.c.id == bindparam("project"))  # built once: every event needs it


class Project(msgspec.Struct, frozen=True, kw_only=True):
    """One project of Label Studio."""

    id: str
    """As Label Studio counts them; empty for events and predictions that name none."""
    label_config: str = ""
    """The labeling config's XML."""
    hostname: str = ""
    """Label Studio's address, as `/setup` gave it."""
    access_token: str = ""
    """A token for Label Studio's API."""
    extra_params: dict[str, Any] = {}
    """What was typed into "extra params" when the backend was connected."""
    active_version: int = 0
    """Number of the version that predicts; 0 before any training."""
    reached_at: float | None = None
    """When Label Studio's API last gave us the project's tasks."""


def get(connection: Connection, project_id: str) -> Project | None:
    """The project, if it was ever heard of."""
    row = connection.execute(_GET, {"project": project_id}).mappings().first()
    return None if row is None else record(row, Project)


def all_projects(connection: Connection) -> list[Project]:
    """Every project."""
    rows = connection.execute(select(projects).order_by(projects.c.id)).mappings()
    return [record(row, Project) for row in rows]


def save(
    connection: Connection,
    project_id: str,
    *,
    label_config: str | None = None,
    hostname: str | None = None,
    access_token: str | None = None,
    extra_params: dict[str, Any] | None = None,
) -> Project:
    """Remember what is given (and not None) about a project; a new one gets its version 0."""
    given: dict[str, Any] = {
        "label_config": label_config,
        "hostname": hostname,
        "access_token": access_token,
        "extra_params": extra_params,
    }
    given = {name: value for name, value in given.items() if value is not None}
    known = get(connection, project_id)
    if known is None:
        known = Project(id=project_id)
        connection.execute(insert(projects).values(**msgspec.to_builtins(known), updated_at=time.time()))
        versions.add_initial(connection, project_id)
    if any(getattr(known, name) != value for name, value in given.items()):
        connection.execute(
            update(projects).where(projects.c.id == project_id).values(**given, updated_at=time.time())
        )
    return msgspec.structs.replace(known, **given)


def reached(connection: Connection, project_id: str) -> None:
    """Label Studio's API has just given us the project's tasks."""
    connection.execute(update(projects).where(projects.c.id == project_id).values(reached_at=time.time()))


def duplicate_model(connection: Connection, source: str, target: str) -> None:
    """Let a project start from another one's active version.

    Raises:
        NotFound: the source project is not known.
    """
    origin = versions.active(connection, source)
    if origin is None:
        raise NotFound(f"Project {source} is not known here, so its model cannot be copied.")
    save(connection, target)
    copy = msgspec.structs.replace(
        origin, project_id=target, parent=0, created_at=time.time(), job_id=None, error=None
    )
    versions.publish(connection, copy, values.items(connection, source, origin.number), author_name=origin.name)


def remove(connection: Connection, project_id: str) -> list[str]:
    """Forget a project: its events, jobs, versions and values. Returns the ids of the jobs."""
    job_ids = list(connection.execute(select(jobs.c.id).where(jobs.c.project_id == project_id)).scalars())
    connection.execute(delete(events).where(events.c.project_id == project_id))
    connection.execute(delete(jobs).where(jobs.c.project_id == project_id))
    connection.execute(delete(counted_annotations).where(counted_annotations.c.project_id == project_id))
    connection.execute(delete(projects).where(projects.c.id == project_id))
    return job_ids
