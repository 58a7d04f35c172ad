"""What authors keep with `set()`. Every version has values of its own, so that going back really goes back."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, bindparam, select

from .tables import upsert, values

_PUT = upsert(
    values,
    {"project_id": bindparam("project"), "number": bindparam("version"), "key": bindparam("name")},
    first={},
    always={"value": bindparam("new")},
)


def get(connection: Connection, project_id: str, number: int, key: str) -> tuple[bool, Any]:
    """Whether the key is set, and its value."""
    found = connection.execute(
        select(values.c.value).where(
            values.c.project_id == project_id, values.c.number == number, values.c.key == key
        )
    ).first()
    return (False, None) if found is None else (True, found.value)


def items(connection: Connection, project_id: str, number: int) -> dict[str, Any]:
    """Every value of a version."""
    rows = connection.execute(
        select(values.c.key, values.c.value).where(values.c.project_id == project_id, values.c.number == number)
    )
    return {row.key: row.value for row in rows}


def put(connection: Connection, project_id: str, number: int, changes: dict[str, Any]) -> None:
    """Set some values of a version. They must be JSON."""
    for key, value in changes.items():
        row = {"project": project_id, "version": number, "name": key, "new": value}
        connection.execute(_PUT[connection.dialect.name], row)
