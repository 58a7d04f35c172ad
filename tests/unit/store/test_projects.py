"""Projects in the store."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Connection, text

from label_studio_ml.store import events, jobs, projects, values, versions
from label_studio_ml.store.database import Database
from label_studio_ml.store.projects import Project
from label_studio_ml.store.versions import Version

pytestmark = pytest.mark.every_database


def test_an_unknown_project_is_none(database: Database) -> None:
    assert database.read(projects.get, "1") is None
    assert database.read(projects.all_projects) == []


def test_a_new_project_has_a_version_and_empty_facts(database: Database) -> None:
    saved = database.write(projects.save, "1")
    assert saved == Project(id="1") == database.read(projects.get, "1")
    assert database.read(versions.get, "1", 0) is not None


def test_what_is_none_stays_as_it_was(database: Database) -> None:
    facts: dict[str, Any] = {"label_config": "<View/>", "hostname": "h", "access_token": "t"}
    facts["extra_params"] = {"a": 1}
    database.write(projects.save, "1", **facts)
    saved = database.write(projects.save, "1", hostname="other")
    assert saved == Project(id="1", **{**facts, "hostname": "other"})
    assert database.read(projects.get, "1") == saved
    assert database.write(projects.save, "1") == saved


def test_a_fact_can_be_emptied(database: Database) -> None:
    database.write(projects.save, "1", access_token="t")
    saved = database.write(projects.save, "1", access_token="")
    assert saved.access_token == ""


def test_saving_does_not_touch_the_active_version(database: Database) -> None:
    def change(connection: Connection) -> Project:
        projects.save(connection, "1")
        versions.publish(connection, Version(project_id="1", number=0, name=""), {}, author_name="a")
        versions.activate(connection, "1", 1)
        return projects.save(connection, "1", hostname="h")

    assert database.write(change).active_version == 1


def test_projects_are_listed_in_order(database: Database) -> None:
    database.write(lambda connection: [projects.save(connection, name) for name in ("2", "1")])
    assert [project.id for project in database.read(projects.all_projects)] == ["1", "2"]


@pytest.mark.parametrize("removed", ["1", "2"])
def test_removing_a_project_forgets_everything_of_it_and_nothing_else(database: Database, removed: str) -> None:
    def fill(connection: Connection) -> None:
        for name in ("1", "2"):
            projects.save(connection, name, access_token="secret")
            job_id = jobs.add(connection, name, "A")
            events.assign(connection, [events.add(connection, name, "A", b"{}")], job_id)
            events.add(connection, name, "A", b"{}")
            versions.publish(connection, Version(project_id=name, number=0, name=""), {"k": 1}, author_name=None)
            values.put(connection, name, 0, {"k": 0})

    def left(connection: Connection) -> set[tuple[str, str]]:
        tables = {"projects": "id", "versions": "project_id", "values": "project_id"}
        tables |= {"jobs": "project_id", "events": "project_id"}
        return {
            (table, row[0])
            for table, column in tables.items()
            for row in connection.execute(text(f'SELECT {column} FROM "{table}"'))
        }

    database.write(fill)
    database.write(projects.remove, removed)
    other = "2" if removed == "1" else "1"
    assert database.read(left) == {(table, other) for table in ("projects", "versions", "values", "jobs", "events")}
    assert database.write(projects.save, removed) == Project(id=removed)


def test_removing_what_is_not_there_is_no_fault(database: Database) -> None:
    database.write(projects.remove, "9")
