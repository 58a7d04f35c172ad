"""Looking straight into a server's store and folders, past the server."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Snapshot:
    """Rows of the store as dicts, each table in the order of its ids."""

    projects: list[dict[str, Any]]
    events: list[dict[str, Any]]
    jobs: list[dict[str, Any]]
    versions: list[dict[str, Any]]

    @property
    def quiet(self) -> bool:
        """Whether nothing is left to do: no event, no job, no version waits."""
        return (
            all(event["processed_at"] for event in self.events)
            and not any(job["state"] in {"queued", "started"} for job in self.jobs)
            and not any(version["state"] == "new" for version in self.versions)
        )

    def annotations(self, project: str) -> list[int]:
        """Ids of the annotations in the project's events, as often and in the order in which they came."""
        return [
            json.loads(row["payload"])["annotation"]["id"] for row in self.events if row["project_id"] == project
        ]

    def of(self, project: str) -> list[dict[str, Any]]:
        """The project's trained versions, lowest number first."""
        return [row for row in self.versions if row["project_id"] == project and row["number"] > 0]

    def active(self, project: str) -> dict[str, Any]:
        """The one version that predicts for the project."""
        (number,) = (row["active_version"] for row in self.projects if row["id"] == project)
        (version,) = (row for row in self.versions if row["project_id"] == project and row["number"] == number)
        return version


class Store:
    """The store in a model folder; opened for reading only, and anew each time."""

    def __init__(self, model_dir: Path) -> None:
        self.path = model_dir / "label-studio-ml.db"

    def read(self) -> Snapshot:
        """Everything at one point in time."""
        with contextlib.closing(self._connect()) as connection:
            connection.execute("BEGIN")
            return Snapshot(
                self._rows(connection, "SELECT * FROM projects ORDER BY id"),
                self._rows(connection, "SELECT * FROM events ORDER BY id"),
                self._rows(connection, "SELECT * FROM jobs ORDER BY created_at, id"),
                self._rows(connection, "SELECT * FROM versions ORDER BY project_id, number"),
            )

    def value(self, project: str, number: int, key: str) -> Any:
        """What `set()` kept with a version; None when there is nothing."""
        with contextlib.closing(self._connect()) as connection:
            query = 'SELECT value FROM "values" WHERE project_id = ? AND number = ? AND key = ?'
            row = connection.execute(query, (project, number, key)).fetchone()
        return None if row is None else json.loads(row[0])

    def is_sound(self) -> bool:
        """Whether SQLite itself finds nothing wrong with the file."""
        with contextlib.closing(self._connect()) as connection:
            return [row[0] for row in connection.execute("PRAGMA integrity_check")] == ["ok"]

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(f"file:{self.path}?mode=ro", uri=True, timeout=30, isolation_level=None)

    @staticmethod
    def _rows(connection: sqlite3.Connection, query: str) -> list[dict[str, Any]]:
        found = connection.execute(query)
        names = [column[0] for column in found.description]
        return [dict(zip(names, row, strict=True)) for row in found]
