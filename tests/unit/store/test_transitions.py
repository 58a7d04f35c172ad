"""How jobs get from one state to another: claimed under a lease, over, given back."""

from __future__ import annotations

import contextlib
import time
from typing import Any

import pytest

from label_studio_ml.store import jobs, transitions
from label_studio_ml.store.database import Database
from label_studio_ml.store.jobs import JobState
from tests.support.stored_jobs import ME, OTHER, Write, add, claim, ended, event_of, get, is_settled

pytestmark = pytest.mark.every_database


def test_claiming_starts_the_oldest_job_under_a_lease(write: Write) -> None:
    first, _second = add(write, "1"), add(write, "2")
    before = time.time()
    job = claim(write, ME, 30)
    assert job is not None
    assert (job.id, job.state, job.attempts, job.lease_owner) == (first, JobState.STARTED, 1, ME)
    assert job.lease_until is not None
    assert before + 30 <= job.lease_until <= time.time() + 30
    assert job.started_at is not None
    assert job == get(write, first)


def test_there_is_nothing_to_claim_when_nothing_waits(write: Write) -> None:
    assert claim(write) is None
    assert write(jobs.next_due) is None


def test_a_job_claimed_elsewhere_meanwhile_is_not_claimed_twice(database: Database, write: Write) -> None:
    job_id = add(write)
    with contextlib.closing(Database(database.url)) as other_server:
        found = [claim(write), other_server.write(transitions.claim, OTHER, 30)]
    assert [job.id for job in found if job is not None] == [job_id]


def test_finishing_ends_the_job_and_settles_its_events(write: Write) -> None:
    job_id = add(write)
    mine, others = event_of(write, job_id), event_of(write, add(write))
    claim(write)
    assert write(lambda connection: transitions.finish(connection, job_id, ME, 3)) is True
    job = get(write, job_id)
    assert (job.state, job.version, job.lease_owner, job.lease_until) == (JobState.FINISHED, 3, None, None)
    assert job.finished_at is not None
    assert not job.active
    assert is_settled(write, mine)
    assert not is_settled(write, others)


def test_failing_keeps_the_reason_and_settles_the_events(write: Write) -> None:
    job_id = add(write)
    event_id = event_of(write, job_id)
    claim(write)
    assert write(lambda connection: transitions.fail(connection, job_id, ME, "short", "long")) is True
    job = get(write, job_id)
    assert (job.state, job.error, job.error_detail, job.version) == (JobState.FAILED, "short", "long", None)
    assert is_settled(write, event_id)
    assert claim(write) is None


@pytest.mark.parametrize(
    "end",
    [
        lambda connection, job_id, owner: transitions.finish(connection, job_id, owner, 1),
        lambda connection, job_id, owner: transitions.fail(connection, job_id, owner, "e", "d"),
        lambda connection, job_id, owner: transitions.release(connection, job_id, owner, "e"),
        lambda connection, job_id, owner: transitions.postpone(connection, job_id, owner, "e"),
        lambda connection, job_id, owner: jobs.report(connection, job_id, owner, 0.5, {"f1": 1.0}),
        transitions.end_cancelled,
        transitions.give_back,
    ],
    ids=["finish", "fail", "release", "postpone", "report", "end_cancelled", "give_back"],
)
def test_only_the_owner_of_a_started_job_decides_about_it(write: Write, end: Any) -> None:
    job_id = add(write)
    event_id = event_of(write, job_id)
    assert not write(lambda connection: end(connection, job_id, ME))  # it waits
    assert get(write, job_id).state is JobState.QUEUED
    claim(write, ME)
    assert not write(lambda connection: end(connection, job_id, OTHER))
    assert not write(lambda connection: end(connection, "nobody", ME))
    assert get(write, job_id).state is JobState.STARTED
    assert not is_settled(write, event_id)
    write(lambda connection: transitions.finish(connection, job_id, ME, 7))
    assert not write(lambda connection: end(connection, job_id, ME))  # it is over
    job = get(write, job_id)
    assert (job.state, job.version, job.fraction, job.metrics) == (JobState.FINISHED, 7, None, {})


def test_a_job_whose_trainer_dies_is_tried_three_times(write: Write) -> None:
    job_id = add(write)
    event_id = event_of(write, job_id)
    for attempt in (1, 2, 3):
        job = claim(write, later=60)
        assert job is not None
        assert (job.id, job.attempts) == (job_id, attempt)
        state = write(lambda connection: transitions.release(connection, job_id, ME, "The trainer died."))
        assert state is (JobState.QUEUED if attempt < 3 else JobState.FAILED)
        assert is_settled(write, event_id) == (attempt == 3)
    assert get(write, job_id).error == "The trainer died. 3 attempts were made."
    assert claim(write, later=3600) is None


def test_a_job_that_finishes_after_a_second_attempt_shows_no_error(write: Write) -> None:
    job_id = add(write)
    claim(write)
    write(lambda connection: transitions.release(connection, job_id, ME, "The trainer died."))
    assert get(write, job_id).error == "The trainer died."
    claim(write, OTHER, later=60)
    assert not write(lambda connection: transitions.finish(connection, job_id, ME, 1))
    assert write(lambda connection: transitions.finish(connection, job_id, OTHER, 1))
    assert get(write, job_id).error is None


def test_a_job_whose_trainer_died_pauses_longer_after_each_attempt(write: Write) -> None:
    job_id = add(write)
    for pause in (2, 4):
        assert claim(write, later=60)
        before = time.time()
        assert (
            write(lambda connection: transitions.release(connection, job_id, ME, "The trainer died."))
            is JobState.QUEUED
        )
        due = get(write, job_id).not_before
        assert before + pause <= due <= time.time() + pause
        assert write(jobs.next_due) == due
        assert claim(write) is None


def test_an_attempt_that_a_stopping_server_gives_back_does_not_count(write: Write) -> None:
    job_id = add(write)
    for _ in range(5):
        job = claim(write)
        assert job is not None
        assert job.attempts == 1
        write(lambda connection: transitions.give_back(connection, job_id, ME))
    job = get(write, job_id)
    assert (job.state, job.attempts, job.lease_owner, job.lease_until) == (JobState.QUEUED, 0, None, None)


def test_a_job_starts_no_earlier_than_it_may(write: Write) -> None:
    due = time.time() + 60
    job_id = write(lambda connection: jobs.add(connection, "1", "A", not_before=due))
    assert write(jobs.next_due) == due
    assert claim(write) is None
    claimed = claim(write, later=61)
    assert claimed is not None
    assert claimed.id == job_id


def test_a_projects_jobs_keep_their_order_when_the_first_has_to_wait(write: Write) -> None:
    first, second = add(write), add(write)
    elsewhere = add(write, "2")
    claim(write)
    assert write(lambda connection: transitions.postpone(connection, first, ME, "Label Studio is down."))
    claimed = [claim(write), claim(write)]
    assert [job.id if job else None for job in claimed] == [elsewhere, None]
    again = claim(write, later=60)
    assert again is not None
    assert again.id == first
    assert write(lambda connection: transitions.finish(connection, first, ME, None))
    following = claim(write)
    assert following is not None
    assert following.id == second


def test_a_postponed_job_waits_ever_longer_up_to_five_minutes_and_no_attempt_counts(write: Write) -> None:
    job_id = add(write)
    waits = []
    for _ in range(9):
        job = claim(write, later=600)
        assert job is not None
        assert job.attempts == 1
        before = time.time()
        seconds = write(lambda connection: transitions.postpone(connection, job_id, ME, "Label Studio is down."))
        waits.append(seconds)
        job = get(write, job_id)
        assert (job.state, job.attempts, job.lease_owner, job.lease_until) == (JobState.QUEUED, 0, None, None)
        assert job.error == "Label Studio is down."
        assert before + seconds <= job.not_before <= time.time() + seconds
    assert waits == [5, 10, 20, 40, 80, 160, 300, 300, 300]
    claim(write, later=600)
    write(lambda connection: transitions.finish(connection, job_id, ME, 1))
    assert get(write, job_id).error is None


def test_a_job_that_waits_is_cancelled_at_once_with_its_events(write: Write) -> None:
    job_id, other = add(write), add(write, "2")
    mine, others = event_of(write, job_id), event_of(write, other)
    assert write(lambda connection: transitions.cancel(connection, job_id)) is JobState.CANCELLED
    job = get(write, job_id)
    assert (job.state, job.active) == (JobState.CANCELLED, False)
    assert job.finished_at is not None
    assert (is_settled(write, mine), is_settled(write, others)) == (True, False)
    claimed = claim(write)
    assert claimed is not None
    assert claimed.id == other


def test_a_job_that_runs_is_asked_to_end_and_ends_when_its_owner_says_so(write: Write) -> None:
    job_id = add(write)
    event_id = event_of(write, job_id)
    claim(write)
    assert write(lambda connection: transitions.cancel(connection, job_id)) is JobState.STARTED
    job = get(write, job_id)
    assert (job.state, job.cancel_requested, job.lease_owner) == (JobState.STARTED, True, ME)
    assert not is_settled(write, event_id)
    assert write(lambda connection: transitions.end_cancelled(connection, job_id, ME)) is True
    job = get(write, job_id)
    assert (job.state, job.error, job.lease_owner) == (JobState.CANCELLED, "Cancelled.", None)
    assert is_settled(write, event_id)
    assert claim(write, later=3600) is None


@pytest.mark.parametrize(
    "leave",
    [
        lambda connection, job_id: transitions.release(connection, job_id, ME, "The trainer died."),
        lambda connection, job_id: transitions.postpone(connection, job_id, ME, "Label Studio is down."),
    ],
    ids=["release", "postpone"],
)
def test_a_job_that_is_being_cancelled_does_not_wait_for_another_attempt(write: Write, leave: Any) -> None:
    job_id = add(write)
    event_id = event_of(write, job_id)
    claim(write)
    write(lambda connection: transitions.cancel(connection, job_id))
    write(lambda connection: leave(connection, job_id))
    assert get(write, job_id).state is JobState.CANCELLED
    assert is_settled(write, event_id)


@pytest.mark.parametrize("state", [JobState.FINISHED, JobState.FAILED, JobState.CANCELLED])
def test_cancelling_a_job_that_is_over_changes_nothing(write: Write, state: JobState) -> None:
    job_id = ended(write, state)
    before = get(write, job_id)
    assert write(lambda connection: transitions.cancel(connection, job_id)) is state
    assert get(write, job_id) == before


def test_a_project_trains_one_job_at_a_time_in_order_and_projects_do_not_wait_for_each_other(write: Write) -> None:
    first, second, elsewhere = add(write, "1"), add(write, "1"), add(write, "2")
    claimed = [claim(write), claim(write, OTHER), claim(write)]
    assert [job.id if job else None for job in claimed] == [first, elsewhere, None]
    assert write(lambda connection: transitions.finish(connection, first, ME, None))
    following = claim(write, OTHER)
    assert following is not None
    assert following.id == second
