"""JSON in the store: text in the database, values in the program, whichever program wrote it."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Connection, text

from label_studio_ml.store import projects, values, versions
from label_studio_ml.store.database import Database

pytestmark = pytest.mark.every_database


def scalar(database: Database, query: str) -> Any:
    return database.read(lambda connection: connection.execute(text(query)).scalar())


@pytest.mark.parametrize(
    ("stored", "expected"), [('{"a": [1, null]}', {"a": [1, None]}), ("", {}), ("oops", {}), ("[1]", {}), ("{", {})]
)
def test_extra_params_that_an_older_program_stored_are_read_whatever_a_person_typed(
    database: Database, stored: str, expected: Any
) -> None:
    def change(connection: Connection) -> None:
        projects.save(connection, "1")
        connection.execute(text("UPDATE projects SET extra_params = :stored"), {"stored": stored})

    database.write(change)
    project = database.read(projects.get, "1")
    assert project is not None
    assert project.extra_params == expected


def test_objects_are_stored_as_their_json(database: Database) -> None:
    database.write(projects.save, "1", extra_params={"a": 1})
    assert scalar(database, "SELECT extra_params FROM projects") == '{"a":1}'
    assert scalar(database, "SELECT train_output FROM versions") == "{}"


def test_a_value_that_is_none_is_set_all_the_same(database: Database) -> None:
    database.write(projects.save, "1")
    database.write(values.put, "1", 0, {"nothing": None, "text": "a"})
    assert database.read(values.get, "1", 0, "nothing") == (True, None)
    assert database.read(values.get, "1", 0, "else") == (False, None)
    assert scalar(database, "SELECT value FROM \"values\" WHERE key = 'nothing'") == "null"
    assert scalar(database, "SELECT value FROM \"values\" WHERE key = 'text'") == '"a"'


def test_metrics_and_results_that_an_older_program_stored_are_read(database: Database) -> None:
    def change(connection: Connection) -> None:
        projects.save(connection, "1")
        connection.execute(text("""UPDATE versions SET metrics = '{"f1": 1}', train_output = '{"w": "x"}'"""))

    database.write(change)
    version = database.read(versions.get, "1", 0)
    assert version is not None
    assert (version.metrics, version.train_output, version.trained_on) == ({"f1": 1.0}, {"w": "x"}, {})
