"""Events in the store: they wait until a job takes them, and are pruned afterwards."""

from __future__ import annotations

import functools
import time

import pytest
from sqlalchemy import Connection, text

from label_studio_ml.store import events, jobs, projects
from label_studio_ml.store.database import Database

pytestmark = pytest.mark.every_database


@pytest.fixture(autouse=True)
def _projects(database: Database) -> None:
    database.write(lambda connection: [projects.save(connection, "1"), projects.save(connection, "2")])


def pending(database: Database, project_id: str = "1") -> list[tuple[int, str]]:
    return list(database.read(events.pending, project_id).items())


def settled(database: Database) -> list[int]:
    query = text("SELECT id FROM events WHERE processed_at IS NOT NULL")
    return database.read(lambda connection: list(connection.execute(query).scalars()))


def fill(database: Database, count: int, project_id: str = "1") -> list[int]:
    return database.write(
        lambda connection: [events.add(connection, project_id, "A", b"%d" % number) for number in range(count)]
    )


def test_an_event_keeps_the_body_as_it_came(database: Database) -> None:
    before = time.time()
    payload = '{"action":  "A", "text": "ä日"}'.encode()
    event_id = database.write(events.add, "1", "A", payload)
    (event,) = database.read(lambda connection: list(events.of_project(connection, "1")))
    assert (event.id, event.project_id, event.action, event.payload) == (event_id, "1", "A", payload)
    assert before <= event.received_at <= time.time()
    assert event.job_id is None


def test_an_event_may_belong_to_no_known_project(database: Database) -> None:
    event_id = database.write(events.add, "", "A", b"{}")
    assert pending(database, "") == [(event_id, "A")]
    assert database.read(events.projects_pending) == [""]


@pytest.mark.parametrize("count", [0, 1, 199, 200, 201, 450])
def test_every_event_of_a_project_is_read_once_in_order_whatever_the_pages(database: Database, count: int) -> None:
    fill(database, 3, "2")
    expected = fill(database, count)
    fill(database, 3, "2")
    found = database.read(lambda connection: list(events.of_project(connection, "1")))
    assert [event.id for event in found] == expected
    assert [int(event.payload) for event in found] == list(range(count))


def test_reading_stops_at_the_event_asked_for(database: Database) -> None:
    made = fill(database, 250)

    def count(until: int) -> int:
        return len(database.read(lambda connection: list(events.of_project(connection, "1", until))))

    assert [count(until) for until in (made[0], made[199], made[210], 0)] == [1, 200, 211, 0]


def test_events_wait_until_a_job_takes_them_up_or_they_are_settled(database: Database) -> None:
    first, second, third = fill(database, 3)

    def change(connection: Connection) -> str:
        job_id = jobs.add(connection, "1", "A")
        events.assign(connection, [first], job_id)
        events.settle(connection, [second])
        return job_id

    job_id = database.write(change)
    assert pending(database) == [(third, "A")]
    assert [event.id for event in database.read(events.of_job, job_id)] == [first]


def test_waiting_events_come_oldest_first_and_each_projects_apart(database: Database) -> None:
    made = fill(database, 3)
    elsewhere = fill(database, 2, "2")
    made += fill(database, 300)
    assert pending(database) == [(event_id, "A") for event_id in made]
    assert pending(database, "2") == [(event_id, "A") for event_id in elsewhere]
    assert pending(database, "3") == []


def test_projects_with_waiting_events_are_named_once(database: Database) -> None:
    assert database.read(events.projects_pending) == []
    made = fill(database, 3)
    (elsewhere,) = fill(database, 1, "2")
    assert sorted(database.read(events.projects_pending)) == ["1", "2"]
    database.write(events.settle, [elsewhere])
    assert database.read(events.projects_pending) == ["1"]
    job_id = database.write(jobs.add, "1", "A")
    for event_id in made:
        database.write(functools.partial(events.assign, event_ids=[event_id], job_id=job_id))
    assert database.read(events.projects_pending) == []


def test_events_of_a_job_that_is_over_can_be_handed_to_another_and_wait_again(database: Database) -> None:
    first, second = fill(database, 2)

    def change(connection: Connection) -> tuple[str, str]:
        old, new = jobs.add(connection, "1", "A"), jobs.add(connection, "1", "A")
        for event_id in (first, second):
            events.assign(connection, [event_id], old)
        events.settle_job(connection, old)
        events.reassign(connection, old, new)
        return old, new

    old, new = database.write(change)
    assert database.read(events.of_job, old) == []
    assert [event.id for event in database.read(events.of_job, new)] == [
        first,
        second,
    ]
    assert settled(database) == []
    assert pending(database) == []


def test_only_events_processed_before_a_time_are_pruned_and_only_of_one_project(database: Database) -> None:
    old, recent, waiting = fill(database, 3)
    (elsewhere,) = fill(database, 1, "2")
    query = text("UPDATE events SET processed_at = :at WHERE id = :id")
    processed = [{"id": old, "at": 100.0}, {"id": recent, "at": 200.0}, {"id": elsewhere, "at": 100.0}]
    database.write(lambda connection: connection.execute(query, processed))
    assert database.write(events.prune, "1", 200.0) == 1
    left = database.read(
        lambda connection: list(connection.execute(text("SELECT id FROM events ORDER BY id")).scalars())
    )
    assert left == [recent, waiting, elsewhere]


def test_a_job_that_is_over_settles_its_own_events_alone(database: Database) -> None:
    made = fill(database, 4)

    def change(connection: Connection) -> None:
        one, other = jobs.add(connection, "1", "A"), jobs.add(connection, "1", "A")
        for event_id in made[:2]:
            events.assign(connection, [event_id], one)
        events.assign(connection, [made[2]], other)
        events.settle_job(connection, one)

    database.write(change)
    assert settled(database) == made[:2]
