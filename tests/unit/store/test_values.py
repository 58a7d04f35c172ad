"""Values that authors keep with `set()`, each version's apart."""

from __future__ import annotations

from typing import Any

import pytest

from label_studio_ml.errors import StoreError
from label_studio_ml.store import projects, values
from label_studio_ml.store.database import Database

pytestmark = pytest.mark.every_database


@pytest.fixture(autouse=True)
def _projects(database: Database) -> None:
    database.write(lambda connection: [projects.save(connection, "1"), projects.save(connection, "2")])


def get(database: Database, key: str, project_id: str = "1") -> tuple[bool, Any]:
    return database.read(values.get, project_id, 0, key)


@pytest.mark.parametrize("value", ["text", "", "1", 1, 1.5, True, None, [], {"a": [None, "ä日"]}, "null"])
def test_a_value_comes_back_as_itself(database: Database, value: Any) -> None:
    database.write(values.put, "1", 0, {"key": value})
    assert get(database, "key") == (True, value)


def test_a_value_that_was_never_set_is_told_from_one_that_is_none(database: Database) -> None:
    database.write(values.put, "1", 0, {"none": None})
    assert get(database, "none") == (True, None)
    assert get(database, "never") == (False, None)


def test_setting_again_replaces(database: Database) -> None:
    database.write(values.put, "1", 0, {"key": 1, "other": 0})
    database.write(values.put, "1", 0, {"key": "two"})
    assert database.read(values.items, "1", 0) == {"key": "two", "other": 0}


def test_projects_do_not_see_each_others_values(database: Database) -> None:
    database.write(values.put, "1", 0, {"key": 1})
    assert get(database, "key", "2") == (False, None)
    assert database.read(values.items, "2", 0) == {}


def test_values_of_a_version_that_does_not_exist_are_refused(database: Database) -> None:
    with pytest.raises(StoreError, match=r"(?i)foreign key"):
        database.write(values.put, "1", 5, {"key": 1})
