from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Connection, text

from label_studio_ml.store import events, jobs, projects
from label_studio_ml.store.database import Database
from label_studio_ml.store.jobs import Job, State

ME, OTHER = "me", "other"


@pytest.fixture
def write(database: Database) -> Callable[[Callable[[Connection], Any]], Any]:
    """Write to a store that knows the projects `1` and `2`."""
    database.write(lambda connection: [projects.save(connection, project_id) for project_id in ("1", "2")])
    return database.write


Write = Callable[[Callable[[Connection], Any]], Any]


def add(write: Write, project_id: str = "1", action: str = "ANNOTATION_CREATED") -> str:
    job_id: str = write(lambda connection: jobs.add(connection, project_id, action))
    return job_id


def claim(write: Write, owner: str = ME, lease: float = 30) -> Job | None:
    job: Job | None = write(lambda connection: jobs.claim(connection, owner, lease))
    return job


def get(write: Write, job_id: str) -> Job:
    job: Job = write(lambda connection: jobs.get(connection, job_id))
    return job


def event_of(write: Write, job_id: str) -> int:
    def change(connection: Connection) -> int:
        event_id = events.add(connection, "1", "ANNOTATION_CREATED", b"{}")
        events.assign(connection, event_id, job_id)
        return event_id

    found: int = write(change)
    return found


def is_settled(write: Write, event_id: int) -> bool:
    query = text("SELECT processed_at IS NOT NULL FROM events WHERE id = :id")
    return bool(write(lambda connection: connection.execute(query, {"id": event_id}).scalar()))


def test_a_new_job_waits(write: Write) -> None:
    before = time.time()
    job = get(write, add(write, "1", "START_TRAINING"))
    assert (job.state, job.project_id, job.action) == (State.QUEUED, "1", "START_TRAINING")
    assert before <= job.created_at <= time.time()
    assert (job.attempts, job.started_at, job.lease_owner, job.error) == (0, None, None, None)
    assert job.active


def test_an_unknown_job_is_none(write: Write) -> None:
    assert get(write, "nobody") is None


def test_ids_of_jobs_sort_by_time() -> None:
    early = jobs.new_id()
    deadline = time.time() + 0.002
    while time.time() < deadline:
        pass
    assert early < jobs.new_id()
    assert len({jobs.new_id() for _ in range(1000)}) == 1000


def test_claiming_starts_the_oldest_job_under_a_lease(write: Write) -> None:
    first, _second = add(write, "1"), add(write, "2")
    before = time.time()
    job = claim(write, ME, 30)
    assert job is not None
    assert (job.id, job.state, job.attempts, job.lease_owner) == (first, State.STARTED, 1, ME)
    assert job.lease_until is not None
    assert before + 30 <= job.lease_until <= time.time() + 30
    assert job.started_at is not None
    assert job == get(write, first)


def test_a_project_trains_one_job_at_a_time_in_order_and_projects_do_not_wait_for_each_other(write: Write) -> None:
    first, second, elsewhere = add(write, "1"), add(write, "1"), add(write, "2")
    claimed = [claim(write), claim(write, OTHER), claim(write)]
    assert [job.id if job else None for job in claimed] == [first, elsewhere, None]
    assert write(lambda connection: jobs.finish(connection, first, ME, None))
    following = claim(write, OTHER)
    assert following is not None
    assert following.id == second


def test_there_is_nothing_to_claim_when_nothing_waits(write: Write) -> None:
    assert claim(write) is None
    assert not write(jobs.any_queued)


def test_a_job_claimed_elsewhere_meanwhile_is_not_claimed_twice(database: Database, write: Write) -> None:
    job_id = add(write)
    with contextlib.closing(Database(database.url)) as other_server:
        found = [claim(write), other_server.write(lambda connection: jobs.claim(connection, OTHER, 30))]
    assert [job.id for job in found if job is not None] == [job_id]


def test_finishing_ends_the_job_and_settles_its_events(write: Write) -> None:
    job_id = add(write)
    mine, others = event_of(write, job_id), event_of(write, add(write))
    claim(write)
    assert write(lambda connection: jobs.finish(connection, job_id, ME, 3)) is True
    job = get(write, job_id)
    assert (job.state, job.version, job.lease_owner, job.lease_until) == (State.FINISHED, 3, None, None)
    assert job.finished_at is not None
    assert not job.active
    assert is_settled(write, mine)
    assert not is_settled(write, others)


def test_failing_keeps_the_reason_and_settles_the_events(write: Write) -> None:
    job_id = add(write)
    event_id = event_of(write, job_id)
    claim(write)
    assert write(lambda connection: jobs.fail(connection, job_id, ME, "short", "long")) is True
    job = get(write, job_id)
    assert (job.state, job.error, job.error_detail, job.version) == (State.FAILED, "short", "long", None)
    assert is_settled(write, event_id)
    assert claim(write) is None


@pytest.mark.parametrize(
    "end",
    [
        lambda connection, job_id, owner: jobs.finish(connection, job_id, owner, 1),
        lambda connection, job_id, owner: jobs.fail(connection, job_id, owner, "e", "d"),
        lambda connection, job_id, owner: jobs.release(connection, job_id, owner, "e"),
        jobs.give_back,
    ],
    ids=["finish", "fail", "release", "give_back"],
)
def test_only_the_owner_of_a_started_job_decides_about_it(write: Write, end: Any) -> None:
    job_id = add(write)
    event_id = event_of(write, job_id)
    assert not write(lambda connection: end(connection, job_id, ME))  # it waits
    assert get(write, job_id).state is State.QUEUED
    claim(write, ME)
    assert not write(lambda connection: end(connection, job_id, OTHER))
    assert not write(lambda connection: end(connection, "nobody", ME))
    assert get(write, job_id).state is State.STARTED
    assert not is_settled(write, event_id)
    write(lambda connection: jobs.finish(connection, job_id, ME, 7))
    assert not write(lambda connection: end(connection, job_id, ME))  # it is over
    assert (get(write, job_id).state, get(write, job_id).version) == (State.FINISHED, 7)


def test_a_job_whose_trainer_dies_is_tried_three_times(write: Write) -> None:
    job_id = add(write)
    event_id = event_of(write, job_id)
    for attempt in (1, 2, 3):
        job = claim(write)
        assert job is not None
        assert (job.id, job.attempts) == (job_id, attempt)
        state = write(lambda connection: jobs.release(connection, job_id, ME, "The trainer died."))
        assert state is (State.QUEUED if attempt < 3 else State.FAILED)
        assert is_settled(write, event_id) == (attempt == 3)
    assert get(write, job_id).error == "The trainer died. 3 attempts were made."
    assert claim(write) is None


def test_a_job_that_finishes_after_a_second_attempt_shows_no_error(write: Write) -> None:
    job_id = add(write)
    claim(write)
    write(lambda connection: jobs.release(connection, job_id, ME, "The trainer died."))
    assert get(write, job_id).error == "The trainer died."
    claim(write, OTHER)
    assert not write(lambda connection: jobs.finish(connection, job_id, ME, 1))
    assert write(lambda connection: jobs.finish(connection, job_id, OTHER, 1))
    assert get(write, job_id).error is None


def test_an_attempt_that_a_stopping_server_gives_back_does_not_count(write: Write) -> None:
    job_id = add(write)
    for _ in range(5):
        job = claim(write)
        assert job is not None
        assert job.attempts == 1
        write(lambda connection: jobs.give_back(connection, job_id, ME))
    job = get(write, job_id)
    assert (job.state, job.attempts, job.lease_owner, job.lease_until) == (State.QUEUED, 0, None, None)


def test_a_lease_runs_out_unless_it_is_renewed(write: Write) -> None:
    mine, others = add(write, "1"), add(write, "2")
    claim(write, ME, -1)
    claim(write, OTHER, -1)
    assert {job.id for job in write(jobs.started)} == {mine, others}
    assert jobs.lease_is_over(get(write, mine))
    write(lambda connection: jobs.renew(connection, ME, 30))
    assert not jobs.lease_is_over(get(write, mine))
    assert jobs.lease_is_over(get(write, others))


def test_the_newest_waiting_job_of_a_project_is_known(write: Write) -> None:
    def waiting(project_id: str) -> str | None:
        found: str | None = write(lambda connection: jobs.waiting(connection, project_id))
        return found

    assert waiting("1") is None
    first, second = add(write, "1"), add(write, "1")
    add(write, "2")
    assert waiting("1") == second
    claim(write)
    assert waiting("1") == second
    write(lambda connection: jobs.finish(connection, first, ME, None))
    claim(write)
    assert waiting("1") is None


def test_active_jobs_are_those_that_wait_or_run(write: Write) -> None:
    def active(*project: str) -> bool:
        return bool(write(lambda connection: jobs.any_active(connection, *project)))

    assert not active()
    job_id = add(write, "1")
    assert (active(), active("1"), active("2")) == (True, True, False)
    claim(write)
    assert (active(), active("1"), write(jobs.any_queued)) == (True, True, False)
    write(lambda connection: jobs.fail(connection, job_id, ME, "e", "d"))
    assert not active()


def test_recent_jobs_come_newest_first_and_no_more_than_asked_for(write: Write) -> None:
    made = [add(write, project_id) for project_id in "12121"]

    def recent(project_id: str | None, limit: int) -> list[str]:
        return [job.id for job in write(lambda connection: jobs.recent(connection, project_id, limit))]

    assert recent(None, 50) == made[::-1]
    assert recent(None, 2) == made[:2:-1]
    assert recent("2", 50) == [made[3], made[1]]
