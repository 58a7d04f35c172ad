"""Jobs in the store: from queued to over, under leases."""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Connection, text

from label_studio_ml.errors import NotFound, RequestError
from label_studio_ml.store import events, jobs, projects, versions
from label_studio_ml.store.database import Database
from label_studio_ml.store.jobs import Job, State
from label_studio_ml.store.versions import Version

pytestmark = pytest.mark.every_database

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


def claim(write: Write, owner: str = ME, lease: float = 30, *, later: float = 0) -> Job | None:
    """Claim a job as it will be possible `later` seconds from now."""
    now = time.time() + later
    job: Job | None = write(lambda connection: jobs.claim(connection, owner, lease, now=now))
    return job


def get(write: Write, job_id: str) -> Job:
    job: Job = write(lambda connection: jobs.get(connection, job_id))
    return job


def ended(write: Write, state: State, job_id: str | None = None) -> str:
    """A job that ended so."""
    job_id = job_id or add(write)
    if state is State.CANCELLED:
        write(lambda connection: jobs.cancel(connection, job_id))
    else:
        claim(write)
        if state is State.FAILED:
            write(lambda connection: jobs.fail(connection, job_id, ME, "e", "d"))
        else:
            write(lambda connection: jobs.finish(connection, job_id, ME, 1))
    return job_id


def event_of(write: Write, job_id: str) -> int:
    def change(connection: Connection) -> int:
        event_id = events.add(connection, "1", "ANNOTATION_CREATED", b"{}")
        events.assign(connection, [event_id], job_id)
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
    assert write(jobs.next_due) is None


def test_a_job_claimed_elsewhere_meanwhile_is_not_claimed_twice(database: Database, write: Write) -> None:
    job_id = add(write)
    with contextlib.closing(Database(database.url)) as other_server:
        found = [claim(write), other_server.write(jobs.claim, OTHER, 30)]
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
        lambda connection, job_id, owner: jobs.postpone(connection, job_id, owner, "e"),
        lambda connection, job_id, owner: jobs.report(connection, job_id, owner, 0.5, {"f1": 1.0}),
        jobs.end_cancelled,
        jobs.give_back,
    ],
    ids=["finish", "fail", "release", "postpone", "report", "end_cancelled", "give_back"],
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
    job = get(write, job_id)
    assert (job.state, job.version, job.fraction, job.metrics) == (State.FINISHED, 7, None, {})


def test_a_job_whose_trainer_dies_is_tried_three_times(write: Write) -> None:
    job_id = add(write)
    event_id = event_of(write, job_id)
    for attempt in (1, 2, 3):
        job = claim(write, later=60)
        assert job is not None
        assert (job.id, job.attempts) == (job_id, attempt)
        state = write(lambda connection: jobs.release(connection, job_id, ME, "The trainer died."))
        assert state is (State.QUEUED if attempt < 3 else State.FAILED)
        assert is_settled(write, event_id) == (attempt == 3)
    assert get(write, job_id).error == "The trainer died. 3 attempts were made."
    assert claim(write, later=3600) is None


def test_a_job_that_finishes_after_a_second_attempt_shows_no_error(write: Write) -> None:
    job_id = add(write)
    claim(write)
    write(lambda connection: jobs.release(connection, job_id, ME, "The trainer died."))
    assert get(write, job_id).error == "The trainer died."
    claim(write, OTHER, later=60)
    assert not write(lambda connection: jobs.finish(connection, job_id, ME, 1))
    assert write(lambda connection: jobs.finish(connection, job_id, OTHER, 1))
    assert get(write, job_id).error is None


def test_a_job_whose_trainer_died_pauses_longer_after_each_attempt(write: Write) -> None:
    job_id = add(write)
    for pause in (2, 4):
        assert claim(write, later=60)
        before = time.time()
        assert write(lambda connection: jobs.release(connection, job_id, ME, "The trainer died.")) is State.QUEUED
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
        write(lambda connection: jobs.give_back(connection, job_id, ME))
    job = get(write, job_id)
    assert (job.state, job.attempts, job.lease_owner, job.lease_until) == (State.QUEUED, 0, None, None)


def test_a_lease_runs_out_unless_it_is_renewed(write: Write) -> None:
    mine, others = add(write, "1"), add(write, "2")
    claim(write, ME, -1)
    claim(write, OTHER, -1)
    assert {job.id for job in write(jobs.started)} == {mine, others}
    assert jobs.lease_is_over(get(write, mine), 30)
    write(lambda connection: jobs.renew(connection, ME, 30))
    assert not jobs.lease_is_over(get(write, mine), 30)
    assert jobs.lease_is_over(get(write, others), 30)


def test_the_newest_waiting_job_of_a_project_is_known(write: Write) -> None:
    def waiting(project_id: str) -> str | None:
        found: Job | None = write(lambda connection: jobs.waiting(connection, project_id))
        return found.id if found else None

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
    assert (active(), active("1"), write(jobs.next_due)) == (True, True, None)
    write(lambda connection: jobs.fail(connection, job_id, ME, "e", "d"))
    assert not active()


def test_recent_jobs_come_newest_first_and_no_more_than_asked_for(write: Write) -> None:
    made = [add(write, project_id) for project_id in "12121"]

    def recent(project_id: str | None, limit: int) -> list[str]:
        return [job.id for job in write(lambda connection: jobs.recent(connection, project_id, limit))]

    assert recent(None, 50) == made[::-1]
    assert recent(None, 2) == made[:2:-1]
    assert recent("2", 50) == [made[3], made[1]]


# --- waiting ---------------------------------------------------------------------------------------------


def test_a_job_starts_no_earlier_than_it_may(write: Write) -> None:
    due = time.time() + 60
    job_id = write(lambda connection: jobs.add(connection, "1", "A", not_before=due))
    assert write(jobs.next_due) == due
    assert claim(write) is None
    claimed = claim(write, later=61)
    assert claimed is not None
    assert claimed.id == job_id


def test_the_next_job_that_is_due_is_the_earliest_of_those_that_wait(write: Write) -> None:
    assert write(jobs.next_due) is None
    write(lambda connection: [jobs.add(connection, "1", "A", not_before=due) for due in (3e9, 2e9)])
    assert write(jobs.next_due) == 2e9
    at_once = add(write, "2")
    assert write(jobs.next_due) == 0
    claimed = claim(write)
    assert claimed is not None
    assert claimed.id == at_once
    assert write(jobs.next_due) == 2e9


def test_a_projects_jobs_keep_their_order_when_the_first_has_to_wait(write: Write) -> None:
    first, second = add(write), add(write)
    elsewhere = add(write, "2")
    claim(write)
    assert write(lambda connection: jobs.postpone(connection, first, ME, "Label Studio is down."))
    claimed = [claim(write), claim(write)]
    assert [job.id if job else None for job in claimed] == [elsewhere, None]
    again = claim(write, later=60)
    assert again is not None
    assert again.id == first
    assert write(lambda connection: jobs.finish(connection, first, ME, None))
    following = claim(write)
    assert following is not None
    assert following.id == second


def test_only_a_job_that_waits_and_has_never_run_can_be_given_another_time(write: Write) -> None:
    died, running = add(write, "1"), add(write, "2")
    claim(write)
    claim(write)
    write(lambda connection: jobs.release(connection, died, ME, "The trainer died."))
    fresh = add(write, "1")
    before = {job_id: get(write, job_id) for job_id in (died, running)}
    for job_id in (*before, fresh, "nobody"):
        write(functools.partial(jobs.delay, job_id=job_id, not_before=5e9))
    assert get(write, fresh).not_before == 5e9
    assert {job_id: get(write, job_id) for job_id in before} == before
    write(lambda connection: jobs.delay(connection, fresh, 0.0))
    assert get(write, fresh).not_before == 0


def test_a_postponed_job_waits_ever_longer_up_to_five_minutes_and_no_attempt_counts(write: Write) -> None:
    job_id = add(write)
    waits = []
    for _ in range(9):
        job = claim(write, later=600)
        assert job is not None
        assert job.attempts == 1
        before = time.time()
        seconds = write(lambda connection: jobs.postpone(connection, job_id, ME, "Label Studio is down."))
        waits.append(seconds)
        job = get(write, job_id)
        assert (job.state, job.attempts, job.lease_owner, job.lease_until) == (State.QUEUED, 0, None, None)
        assert job.error == "Label Studio is down."
        assert before + seconds <= job.not_before <= time.time() + seconds
    assert waits == [5, 10, 20, 40, 80, 160, 300, 300, 300]
    claim(write, later=600)
    write(lambda connection: jobs.finish(connection, job_id, ME, 1))
    assert get(write, job_id).error is None


# --- progress --------------------------------------------------------------------------------------------


def test_what_fit_reports_is_kept_with_the_job_the_newest_in_place_of_the_older(write: Write) -> None:
    job_id = add(write)
    claim(write)
    write(lambda connection: jobs.report(connection, job_id, ME, 0.25, {"loss": 0.5}))
    write(lambda connection: jobs.report(connection, job_id, ME, None, {"loss": 0.25, "f1": 0.75}))
    job = get(write, job_id)
    assert (job.fraction, job.metrics) == (None, {"loss": 0.25, "f1": 0.75})


# --- cancelling and trying again ---------------------------------------------------------------------------


def test_a_job_that_waits_is_cancelled_at_once_with_its_events(write: Write) -> None:
    job_id, other = add(write), add(write, "2")
    mine, others = event_of(write, job_id), event_of(write, other)
    assert write(lambda connection: jobs.cancel(connection, job_id)) is State.CANCELLED
    job = get(write, job_id)
    assert (job.state, job.active) == (State.CANCELLED, False)
    assert job.finished_at is not None
    assert (is_settled(write, mine), is_settled(write, others)) == (True, False)
    claimed = claim(write)
    assert claimed is not None
    assert claimed.id == other


def test_a_job_that_runs_is_asked_to_end_and_ends_when_its_owner_says_so(write: Write) -> None:
    job_id = add(write)
    event_id = event_of(write, job_id)
    claim(write)
    assert write(lambda connection: jobs.cancel(connection, job_id)) is State.STARTED
    job = get(write, job_id)
    assert (job.state, job.cancel_requested, job.lease_owner) == (State.STARTED, True, ME)
    assert not is_settled(write, event_id)
    assert write(lambda connection: jobs.end_cancelled(connection, job_id, ME)) is True
    job = get(write, job_id)
    assert (job.state, job.error, job.lease_owner) == (State.CANCELLED, "Cancelled.", None)
    assert is_settled(write, event_id)
    assert claim(write, later=3600) is None


@pytest.mark.parametrize(
    "leave",
    [
        lambda connection, job_id: jobs.release(connection, job_id, ME, "The trainer died."),
        lambda connection, job_id: jobs.postpone(connection, job_id, ME, "Label Studio is down."),
    ],
    ids=["release", "postpone"],
)
def test_a_job_that_is_being_cancelled_does_not_wait_for_another_attempt(write: Write, leave: Any) -> None:
    job_id = add(write)
    event_id = event_of(write, job_id)
    claim(write)
    write(lambda connection: jobs.cancel(connection, job_id))
    write(lambda connection: leave(connection, job_id))
    assert get(write, job_id).state is State.CANCELLED
    assert is_settled(write, event_id)


@pytest.mark.parametrize("state", [State.FINISHED, State.FAILED, State.CANCELLED])
def test_cancelling_a_job_that_is_over_changes_nothing(write: Write, state: State) -> None:
    job_id = ended(write, state)
    before = get(write, job_id)
    assert write(lambda connection: jobs.cancel(connection, job_id)) is state
    assert get(write, job_id) == before


@pytest.mark.parametrize("state", [State.FINISHED, State.FAILED, State.CANCELLED])
def test_a_job_that_is_over_is_tried_again_as_a_new_one_with_the_same_events(write: Write, state: State) -> None:
    job_id = add(write)
    event_id = event_of(write, job_id)
    ended(write, state, job_id)
    later = add(write)
    again = write(lambda connection: jobs.retry(connection, job_id))
    assert again not in (job_id, later)
    new = get(write, again)
    assert (new.state, new.project_id, new.action, new.attempts) == (State.QUEUED, "1", "ANNOTATION_CREATED", 0)
    assert get(write, job_id).state is state
    assert not is_settled(write, event_id)
    assert [event.id for event in write(lambda connection: events.of_job(connection, again))] == [event_id]
    claimed = claim(write)
    assert claimed is not None
    assert claimed.id == later  # it came before


@pytest.mark.parametrize("state", [State.QUEUED, State.STARTED])
def test_a_job_that_is_not_over_cannot_be_tried_again(write: Write, state: State) -> None:
    job_id = add(write)
    if state is State.STARTED:
        claim(write)
    with pytest.raises(RequestError, match=f"Job {job_id} is {state.value}; only a job that is over"):
        write(lambda connection: jobs.retry(connection, job_id))
    assert len(write(jobs.recent)) == 1


def test_a_job_that_does_not_exist_can_be_neither_cancelled_nor_tried_again(write: Write) -> None:
    for ask in (jobs.cancel, jobs.retry):
        with pytest.raises(NotFound, match=r"There is no job nobody\."):
            write(lambda connection, ask=ask: ask(connection, "nobody"))  # type: ignore[misc]


# --- the clock ---------------------------------------------------------------------------------------------


def test_jobs_keep_their_order_when_the_clock_is_set_back(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    first = add(write)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now - 3600)
    later = [add(write) for _ in range(3)]
    started = []
    while (job := claim(write)) is not None:
        started.append(job.id)
        write(functools.partial(jobs.finish, job_id=job.id, owner=ME, version=None))
    assert started == [first, *later]


def test_jobs_that_wait_follow_a_clock_that_was_set(write: Write) -> None:
    due = time.time() + 10
    job_id: str = write(lambda connection: jobs.add(connection, "1", "A", not_before=due))
    at_once = add(write, "2")
    write(lambda connection: jobs.shift(connection, -3600.0))
    assert get(write, job_id).not_before == pytest.approx(due - 3600)
    assert get(write, at_once).not_before == 0


def test_a_lease_from_before_the_clock_was_set_back_is_over(write: Write) -> None:
    job_id = add(write)
    claim(write, later=7200)
    assert jobs.lease_is_over(get(write, job_id), 30)


# --- housekeeping ------------------------------------------------------------------------------------------


def test_old_jobs_go_unless_a_version_or_events_remind_of_them(write: Write) -> None:
    old, with_version, with_events = (ended(write, State.FAILED) for _ in range(3))
    waiting = add(write)

    def remind(connection: Connection) -> None:
        version = Version(project_id="1", number=0, name="", created_at=1.0, job_id=with_version)
        versions.publish(connection, version, {}, author_name=None)
        events.assign(connection, [events.add(connection, "1", "A", b"{}")], with_events)

    write(remind)
    assert write(lambda connection: jobs.prune(connection, time.time() - 60)) == []
    assert write(lambda connection: jobs.prune(connection, time.time() + 60)) == [old]
    left = {job.id for job in write(jobs.recent)}
    assert left == {with_version, with_events, waiting}
