"""Which annotations each project has, as far as events tell; for counting, not for training."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, bindparam, delete, func, select, update

from ..wire.events import Touched
from .tables import counted_annotations, upsert

# Built once: every event needs them.
_FOLLOW = upsert(
    counted_annotations,
    {"project_id": bindparam("project"), "id": bindparam("annotation")},
    first={"task_id": bindparam("task")},
    always={"skipped": bindparam("skip")},
)
_MARK = (
    update(counted_annotations)
    .where(
        counted_annotations.c.project_id == bindparam("project"),
        counted_annotations.c.skipped.is_(False),
        counted_annotations.c.trained.is_(False),
    )
    .values(trained=True)
)


def follow(connection: Connection, project_id: str, touched: Iterable[Touched]) -> None:
    """Take note of what an event did to annotations. Saying the same twice changes nothing."""
    for one in touched:
        if one.gone:
            column = counted_annotations.c.id if one.annotation else counted_annotations.c.task_id
            of_project = counted_annotations.c.project_id == project_id
            connection.execute(
                delete(counted_annotations).where(of_project, column == (one.annotation or one.task))
            )
        else:
            row = {"project": project_id, "annotation": one.annotation, "task": one.task, "skip": one.skipped}
            connection.execute(_FOLLOW[connection.dialect.name], row)


def count(connection: Connection, project_id: str) -> tuple[int, int]:
    """How many annotations a project has, skipped ones left out, and how many of them no training has seen."""
    useful = (counted_annotations.c.project_id == project_id, counted_annotations.c.skipped.is_(False))
    total = connection.execute(select(func.count()).select_from(counted_annotations).where(*useful)).scalar_one()
    fresh = connection.execute(
        select(func.count())
        .select_from(counted_annotations)
        .where(*useful, counted_annotations.c.trained.is_(False))
    ).scalar_one()
    return total, fresh


def mark_trained(connection: Connection, project_id: str) -> None:
    """A training that sees all of them is on its way. Skipped ones count as new should they be filled in later."""
    connection.execute(_MARK, {"project": project_id})
