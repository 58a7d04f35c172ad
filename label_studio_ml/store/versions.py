"""Versions: what a successful training leaves, and which one predicts.

new -> ready
 `---> failed

Exactly one version of a project is active: `projects.active_version`. A person may activate any of them, in
whatever state; it is `ready` from then on.
"""

from __future__ import annotations

import time
from typing import Any, Literal

import msgspec
from msgspec import structs
from sqlalchemy import Connection, delete, func, insert, select, update

from ..errors import NotFound, RequestError
from . import values
from .tables import projects, record, versions

INITIAL_NAME = "0.0.1"
"""What version 0, the model before any training, is called until the author's setup() names it."""

VersionState = Literal[
    "new",  # trained, not yet loaded by a worker
    "ready",  # has been loaded, or need not be
    "failed",  # could not be loaded
    "kept",  # put aside: its metrics did not satisfy `--promote-if`
]


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a project's model."""

    project_id: str
    """The project."""
    number: int
    """Counts a project's trainings from 1; 0 is the model before any."""
    name: str
    """What Label Studio and people call it; no two of a project have the same."""
    base_name: str = ""
    """What the author's setup() calls the model, whichever version it is; empty when it does not."""
    state: VersionState = "ready"
    """Whether it can predict."""
    train_output: dict[str, Any] = {}
    """What fit() returned."""
    workdir: str = ""
    """The absolute folder of its files; empty when it has none."""
    config_hash: str = ""
    """Tells whether two versions were trained for the same labeling config."""
    parent: int | None = None
    """Number of the version that fit() started from."""
    metrics: dict[str, float] = {}
    """What the author's progress() and evaluate() said."""
    trained_on: dict[str, Any] = {}
    """Where the annotated tasks came from, how many, a digest of them, and the events that brought them."""
    created_at: float = 0.0
    """When the training ended."""
    duration: float | None = None
    """Seconds that the training took."""
    job_id: str | None = None
    """The job that it came of; a copied model has none."""
    error: str | None = None
    """Why it failed, or is kept aside."""


def _version(row: Any) -> Version:
    return record(row, Version)


def get(connection: Connection, project_id: str, number: int) -> Version | None:
    """One version by its number."""
    query = select(versions).where(versions.c.project_id == project_id, versions.c.number == number)
    row = connection.execute(query).mappings().first()
    return None if row is None else _version(row)


def of_project(connection: Connection, project_id: str | None = None) -> list[Version]:
    """The versions of one project, or of all, newest first."""
    query = select(versions)
    if project_id is None:
        query = query.order_by(versions.c.created_at.desc(), versions.c.number.desc())
    else:  # by number, whatever the clock said
        query = query.where(versions.c.project_id == project_id).order_by(versions.c.number.desc())
    return [_version(row) for row in connection.execute(query).mappings()]


def active(connection: Connection, project_id: str) -> Version | None:
    """The version that predicts for a project."""
    query = select(versions).join(
        projects,
        (projects.c.id == versions.c.project_id) & (projects.c.active_version == versions.c.number),
    )
    row = connection.execute(query.where(projects.c.id == project_id)).mappings().first()
    return None if row is None else _version(row)


def add_initial(connection: Connection, project_id: str) -> None:
    """Give a project its version 0: the model before any training."""
    initial = Version(project_id=project_id, number=0, name=INITIAL_NAME, created_at=time.time())
    connection.execute(insert(versions).values(**structs.asdict(initial)))


def publish(
    connection: Connection,
    version: Version,
    changes: dict[str, Any],
    *,
    author_name: str | None,
    kept: str | None = None,
) -> Version:
    """Add a version that starts from its parent's values and `changes`; it gets its number and name here.

    Args:
        connection: in a transaction.
        version: number and name are ignored.
        changes: what fit() set.
        author_name: the `model_version` that fit() set, if it did.
        kept: why the version is kept aside and not to predict, if so.

    Returns:
        The version as stored, in the state `new` or `kept`.
    """
    last = connection.execute(
        select(func.max(versions.c.number)).where(versions.c.project_id == version.project_id)
    ).scalar()
    number = (last or 0) + 1
    name = _free_name(connection, version.project_id, author_name or _own_name(version, number), number)
    state: VersionState = "new" if kept is None else "kept"
    stored = structs.replace(version, number=number, name=name, state=state, error=kept)
    connection.execute(insert(versions).values(**structs.asdict(stored)))
    inherited = values.items(connection, version.project_id, version.parent or 0)
    values.put(connection, version.project_id, number, {**inherited, **changes, "model_version": name})
    return stored


def rename(connection: Connection, version: Version, base_name: str) -> Version:
    """The author's setup() calls the model `base_name` now: name the version after it."""
    name = base_name if version.number == 0 else f"{base_name}+{version.number}"
    if name != version.name:
        name = _free_name(connection, version.project_id, name, version.number)
    connection.execute(
        update(versions)
        .where(versions.c.project_id == version.project_id, versions.c.number == version.number)
        .values(name=name, base_name=base_name)
    )
    values.put(connection, version.project_id, version.number, {"model_version": name})
    return structs.replace(version, name=name, base_name=base_name)


def newest(connection: Connection, project_id: str) -> Version | None:
    """The version that the next training starts from: the active one, or one that is about to become it."""
    waiting = untried(connection).get(project_id)
    return active(connection, project_id) if waiting is None else get(connection, project_id, waiting)


def activate(connection: Connection, project_id: str, number: int) -> None:
    """Let a version predict from now on. Older ones that nobody loaded in between may be used, too."""
    connection.execute(update(projects).where(projects.c.id == project_id).values(active_version=number))
    _mark(connection, project_id, number, "ready", None)
    connection.execute(
        update(versions)
        .where(versions.c.project_id == project_id, versions.c.number < number, versions.c.state == "new")
        .values(state="ready")
    )


def choose(connection: Connection, project_id: str, number: int) -> None:
    """Somebody wants this version: `activate` it, also before those that were trained and wait to be loaded."""
    activate(connection, project_id, number)
    connection.execute(
        update(versions).where(versions.c.project_id == project_id, versions.c.state == "new").values(state="ready")
    )


def take_over(connection: Connection, project_id: str, number: int) -> bool:
    """`activate` a version that waited to be loaded; False when somebody chose another one meanwhile."""
    current, candidate = active(connection, project_id), get(connection, project_id, number)
    if current is not None and current.number == number:
        return True  # another server on this store was quicker
    if current is None or candidate is None or current.number > number or candidate.state != "new":
        return False
    activate(connection, project_id, number)
    return True


def fail(connection: Connection, project_id: str, number: int, error: str) -> None:
    """A version could not be loaded: it will not be tried again by itself."""
    _mark(connection, project_id, number, "failed", error)


def find(connection: Connection, project_id: str, name: str) -> Version:
    """A version by its name, else by its number: authors may have named one like the number of another.

    Raises:
        NotFound: the project has none of that name.
    """
    found = of_project(connection, project_id)
    for version in sorted(found, key=lambda version: version.name != name):
        if name in (version.name, str(version.number)):
            return version
    known = ", ".join(version.name for version in found) or "none at all"
    raise NotFound(f"Project {project_id} has no version {name}; it has {known}.")


def remove(connection: Connection, version: Version) -> None:
    """Forget a version. Its folder is the caller's to delete, after the commit.

    Raises:
        RequestError: it predicts, or it is the untrained model.
    """
    current = active(connection, version.project_id)
    if current is not None and current.number == version.number:
        raise RequestError(
            f"Version {version.name} predicts for project {version.project_id}; activate another first."
        )
    if version.number == 0:
        raise RequestError("The untrained model cannot be deleted.")
    connection.execute(
        delete(versions).where(versions.c.project_id == version.project_id, versions.c.number == version.number)
    )


def surplus(connection: Connection, project_id: str, keep: int) -> list[Version]:
    """The trained versions beyond the newest `keep`; never the active one, nor one that waits to be loaded."""
    current = active(connection, project_id)
    trained = [version for version in of_project(connection, project_id) if version.number > 0]
    trained.sort(key=lambda version: -version.number)
    return [
        version
        for version in trained[keep:]
        if version.state != "new" and (current is None or version.number != current.number)
    ]


def untried(connection: Connection) -> dict[str, int]:
    """For each project the newest version that waits to be loaded, if it is newer than the active one."""
    query = (
        select(versions.c.project_id, func.max(versions.c.number))
        .join(projects, projects.c.id == versions.c.project_id)
        .where(versions.c.state == "new", versions.c.number > projects.c.active_version)
        .group_by(versions.c.project_id)
    )
    return {row[0]: row[1] for row in connection.execute(query)}


def _mark(connection: Connection, project_id: str, number: int, state: VersionState, error: str | None) -> None:
    connection.execute(
        update(versions)
        .where(versions.c.project_id == project_id, versions.c.number == number)
        .values(state=state, error=error)
    )


def _own_name(version: Version, number: int) -> str:
    """What a version is called when fit() did not name it."""
    if version.base_name:
        return f"{version.base_name}+{number}"
    return f"{number:04d}-{time.strftime('%Y%m%d-%H%M%S', time.gmtime(version.created_at))}"


def _free_name(connection: Connection, project_id: str, name: str, number: int) -> str:
    taken = set(
        connection.execute(
            select(versions.c.name).where(versions.c.project_id == project_id, versions.c.number != number)
        ).scalars()
    )
    candidate, again = name, number
    while candidate in taken:
        candidate, again = f"{name}+{again}", again + 1
    return candidate
