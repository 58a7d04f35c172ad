"""Which annotations each project has, as far as events tell; for counting, not for training."""

from __future__ import annotations

from sqlalchemy import Connection, delete, func, insert, select, update

from ..protocol.events import Touched
from .tables import counted_annotations


def follow(connection: Connection, project_id: str, touched: list[Touched]) -> None:
    """Take note of what an event did to annotations. Saying the same twice changes nothing."""
    for one in touched:
        of_project = counted_annotations.c.project_id == project_id
        if one.gone:
            column = counted_annotations.c.id if one.annotation else counted_annotations.c.task_id
            connection.execute(
                delete(counted_annotations).where(of_project, column == (one.annotation or one.task))
            )
            continue
        this = (of_project, counted_annotations.c.id == one.annotation)
        if connection.execute(select(counted_annotations.c.id).where(*this)).first():
            connection.execute(update(counted_annotations).where(*this).values(skipped=one.skipped))
        else:
            connection.execute(
                insert(counted_annotations).values(
                    project_id=project_id, id=one.annotation, task_id=one.task, skipped=one.skipped
                )
            )


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
    connection.execute(
        update(counted_annotations)
        .where(counted_annotations.c.project_id == project_id, counted_annotations.c.skipped.is_(False))
        .values(trained=True)
    )
