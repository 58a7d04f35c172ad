"""The tables of the store. Times are seconds since 1970 (float); `number` 0 is "not trained yet".

JSON is stored as text, and encoded and decoded here: whoever reads or writes a row has its values.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec
from sqlalchemy import (
    Boolean,
    Column,
    Dialect,
    Executable,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite

from ..wire import requests

T = TypeVar("T")

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(referred_table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)


class Json(TypeDecorator[Any]):
    """A JSON value, None included, in a column of text."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, _dialect: Dialect) -> str:
        """A value on its way into the database."""
        return msgspec.json.encode(value).decode()

    def process_result_value(self, value: str | None, _dialect: Dialect) -> Any:
        """A value that was read."""
        return None if value is None else msgspec.json.decode(value)


class TypedJson(Json):
    """A JSON object that a person may have typed: what is none reads as an empty one."""

    def process_result_value(self, value: str | None, _dialect: Dialect) -> dict[str, Any]:
        """A value that was read."""
        return requests.typed_object(value)


def _where(condition: str) -> dict[str, Any]:
    """An index of those rows alone."""
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


projects = Table(
    "projects",
    metadata,
    Column("id", Text, primary_key=True),
    Column("label_config", Text, nullable=False, default=""),
    Column("hostname", Text, nullable=False, default=""),
    Column("access_token", Text, nullable=False, default=""),
    Column("extra_params", TypedJson, nullable=False, default={}),
    Column("active_version", Integer, nullable=False, default=0),
    # When Label Studio's API last gave us this project's tasks: if it does not now, it is down, not misconfigured.
    Column("reached_at", Float),
    Column("updated_at", Float, nullable=False),
)

versions = Table(
    "versions",
    metadata,
    Column("project_id", Text, ForeignKey("projects.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False),
    # What the author's setup() calls this model; it keeps calling it so after a training gave it a new name.
    Column("base_name", Text, nullable=False, default=""),
    Column("state", Text, nullable=False),
    Column("train_output", Json, nullable=False, default={}),
    Column("workdir", Text, nullable=False, default=""),
    Column("config_hash", Text, nullable=False, default=""),
    Column("parent", Integer),
    Column("metrics", Json, nullable=False, default={}),
    Column("trained_on", Json, nullable=False, default={}),
    Column("created_at", Float, nullable=False),
    Column("duration", Float),
    Column("job_id", Text),
    Column("error", Text),
    UniqueConstraint("project_id", "name"),
)

values = Table(
    "values",
    metadata,
    Column("project_id", Text, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("key", Text, primary_key=True),
    Column("value", Json, nullable=False),
    ForeignKeyConstraint(["project_id", "number"], ["versions.project_id", "versions.number"], ondelete="CASCADE"),
)

jobs = Table(
    "jobs",
    metadata,
    Column("id", Text, primary_key=True),
    Column("project_id", Text, ForeignKey("projects.id", ondelete="CASCADE"), nullable=False),
    Column("state", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("started_at", Float),
    Column("finished_at", Float),
    Column("attempts", Integer, nullable=False, default=0),
    Column("lease_owner", Text),
    Column("lease_until", Float),
    Column("not_before", Float, nullable=False, default=0.0),
    Column("postponed", Integer, nullable=False, default=0),
    Column("cancel_requested", Boolean, nullable=False, default=False),
    Column("fraction", Float),
    Column("metrics", Json, nullable=False, default={}),
    Column("version", Integer),
    Column("error", Text),
    Column("error_detail", Text),
    Index(None, "state", "created_at"),
    Index("ix_jobs_waiting", "project_id", "state", "created_at", "id"),
    # One at a time for each project, whatever a server believes.
    Index("uq_jobs_running", "project_id", unique=True, **_where("state = 'started'")),
)

# Which annotations a project has, as far as its events tell: what "every N new annotations" is counted by.
counted_annotations = Table(
    "counted_annotations",
    metadata,
    Column("project_id", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("task_id", Text, nullable=False, default=""),
    Column("skipped", Boolean, nullable=False),
    Column("trained", Boolean, nullable=False, default=False),
    Index("ix_counted_annotations_fresh", "project_id", "skipped", "trained"),
)

events = Table(
    "events",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("project_id", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("payload", LargeBinary, nullable=False),
    Column("received_at", Float, nullable=False),
    Column("job_id", Text, ForeignKey("jobs.id", ondelete="SET NULL")),
    Column("processed_at", Float),
    Index(None, "processed_at", "id"),
    Index(None, "project_id", "id"),
    Index(None, "job_id"),
    # Those that no job has taken up yet: few, however many there are.
    Index("ix_events_pending", "project_id", "id", **_where("processed_at IS NULL AND job_id IS NULL")),
)


def upsert(
    table: Table, key: Mapping[str, Any], *, first: Mapping[str, Any], always: Mapping[str, Any]
) -> dict[str, Executable]:
    """Statements, by the name of their dialect, that set the columns `always` of the row with this key.

    A new row gets the columns `first` as well.
    """
    row = {**key, **first, **always}
    in_sqlite, in_postgresql = sqlite.insert(table).values(row), postgresql.insert(table).values(row)
    return {
        "sqlite": in_sqlite.on_conflict_do_update(index_elements=[*key], set_=always),
        "postgresql": in_postgresql.on_conflict_do_update(index_elements=[*key], set_=always),
    }


def record(row: Mapping[Any, Any], kind: type[T]) -> T:
    """A row as its struct."""
    # SQLAlchemy's column names are a kind of str that msgspec does not take for one.
    return msgspec.convert({f"{name}": value for name, value in row.items()}, kind)
