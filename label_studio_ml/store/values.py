"""What authors keep with `set()`. Every version has values of its own, so that going back really goes back."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import Connection, delete, insert, select

from .tables import values


def get(connection: Connection, project_id: str, number: int, key: str) -> tuple[bool, Any]:
    """Whether the key is set, and its value."""
    found = connection.execute(
        select(values.c.value).where(
            values.c.project_id == project_id, values.c.number == number, values.c.key == key
        )
    ).scalar()
    return (False, None) if found is None else (True, msgspec.json.decode(found))


def items(connection: Connection, project_id: str, number: int) -> dict[str, Any]:
    """Every value of a version."""
    rows = connection.execute(
        select(values.c.key, values.c.value).where(values.c.project_id == project_id, values.c.number == number)
    )
    return {row.key: msgspec.json.decode(row.value) for row in rows}


def put(connection: Connection, project_id: str, number: int, changes: dict[str, Any]) -> None:
    """Set some values of a version. They must be JSON."""
    for key, value in changes.items():
        connection.execute(
            delete(values).where(values.c.project_id == project_id, values.c.number == number, values.c.key == key)
        )
        connection.execute(
            insert(values).values(
                project_id=project_id, number=number, key=key, value=msgspec.json.encode(value).decode()
            )
        )
