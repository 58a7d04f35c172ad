"""Indexes that keep the reply to an event quick however many there are, and one running job for each project."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create the indexes."""
    op.create_index("ix_jobs_waiting", "jobs", ["project_id", "state", "created_at", "id"])
    _partial("uq_jobs_running", "jobs", ["project_id"], "state = 'started'", unique=True)
    op.create_index("ix_counted_annotations_fresh", "counted_annotations", ["project_id", "skipped", "trained"])
    _partial("ix_events_pending", "events", ["project_id", "id"], "processed_at IS NULL AND job_id IS NULL")


def _partial(name: str, table: str, columns: list[str], condition: str, *, unique: bool = False) -> None:
    where = sa.text(condition)
    op.create_index(name, table, columns, unique=unique, sqlite_where=where, postgresql_where=where)
