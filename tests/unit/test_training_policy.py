from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Connection

from label_studio_ml.backend.answers import Description
from label_studio_ml.store import events, jobs, projects
from label_studio_ml.store.database import Database
from label_studio_ml.training import policy


def describe(generation: int, **changes: Any) -> Description:
    facts: dict[str, Any] = {"train_events": ["ANNOTATION_CREATED"], "learns": True, "concurrent": False, **changes}
    return Description(model_class="M", generation=generation, **facts)


@pytest.fixture(autouse=True)
def _projects(database: Database) -> None:
    database.write(lambda connection: [projects.save(connection, "1"), projects.save(connection, "2")])


def happen(
    database: Database, description: Description, action: str = "ANNOTATION_CREATED", project_id: str = "1"
) -> str | None:
    def change(connection: Connection) -> str | None:
        event_id = events.add(connection, project_id, action, b"{}")
        return policy.take_up(connection, event_id, project_id, action, description)

    return database.write(change)


def brought(database: Database, job_id: str | None) -> list[int]:
    return [event.id for event in database.read(lambda connection: events.of_job(connection, job_id or ""))]


def claim(database: Database) -> str:
    job = database.write(lambda connection: jobs.claim(connection, "me", 30))
    assert job is not None
    return job.id


def finish(database: Database, job_id: str | None) -> bool:
    return database.write(lambda connection: jobs.finish(connection, job_id or "", "me", None))


def test_generation_2_gets_a_job_for_every_event_in_order(database: Database) -> None:
    made = [happen(database, describe(2)) for _ in range(3)]
    assert len(set(made)) == 3
    assert [brought(database, job_id) for job_id in made] == [[1], [2], [3]]
    for job_id in made:
        assert claim(database) == job_id
        assert finish(database, job_id)


def test_generation_1_lets_events_join_the_job_that_waits(database: Database) -> None:
    first = happen(database, describe(1))
    assert happen(database, describe(1)) == first
    assert happen(database, describe(1), "START_TRAINING") == first
    assert brought(database, first) == [1, 2, 3]


def test_generation_1_has_at_most_one_job_that_runs_and_one_that_waits(database: Database) -> None:
    running = happen(database, describe(1))
    assert claim(database) == running
    waiting = happen(database, describe(1))
    assert waiting != running
    assert {happen(database, describe(1)) for _ in range(5)} == {waiting}
    assert brought(database, running) == [1]
    assert len(database.read(jobs.recent)) == 2


def test_projects_do_not_share_jobs(database: Database) -> None:
    assert happen(database, describe(1)) != happen(database, describe(1), project_id="2")


@pytest.mark.parametrize("generation", [1, 2])
@pytest.mark.parametrize(
    ("action", "changes", "project_id"),
    [
        ("PROJECT_UPDATED", {}, "1"),
        ("ANNOTATION_UPDATED", {}, "1"),
        ("ANNOTATION_CREATED", {"learns": False}, "1"),
        ("START_TRAINING", {"learns": False}, "1"),
        ("ANNOTATION_CREATED", {}, ""),
    ],
)
def test_an_event_that_trains_nothing_is_settled(
    database: Database, generation: int, action: str, changes: dict[str, Any], project_id: str
) -> None:
    assert happen(database, describe(generation, **changes), action, project_id) is None
    assert database.read(events.pending) == []
    assert database.read(jobs.recent) == []


@pytest.mark.parametrize("generation", [1, 2])
def test_the_button_and_the_other_spelling_train(database: Database, generation: int) -> None:
    assert happen(database, describe(generation), "START_TRAINING")
    assert happen(database, describe(generation), "ANNOTATIONS_CREATED")
