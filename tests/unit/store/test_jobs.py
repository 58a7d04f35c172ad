"""Jobs in the store: queued, found, tried again, pruned."""

from __future__ import annotations

import functools
import time

import pytest
from sqlalchemy import Connection

from label_studio_ml.errors import NotFound, RequestError
from label_studio_ml.store import events, jobs, transitions, versions
from label_studio_ml.store.jobs import Job, JobState
from label_studio_ml.store.versions import Version
from tests.support.stored_jobs import ME, OTHER, Write, add, claim, ended, event_of, get, is_settled

pytestmark = pytest.mark.every_database


def test_a_new_job_waits(write: Write) -> None:
    before = time.time()
    job = get(write, add(write, "1", "START_TRAINING"))
    assert (job.state, job.project_id, job.action) == (JobState.QUEUED, "1", "START_TRAINING")
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


def test_renewing_a_lease_changes_it_and_no_other(write: Write) -> None:
    mine, others = add(write, "1"), add(write, "2")
    claim(write, ME, -1)
    claim(write, OTHER, -1)
    assert {job.id for job in write(jobs.started)} == {mine, others}
    before = [get(write, job_id).lease_until for job_id in (mine, others)]
    write(lambda connection: jobs.renew(connection, ME, 30))
    assert get(write, mine).lease_until != before[0]
    assert get(write, others).lease_until == before[1]


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
    write(lambda connection: transitions.finish(connection, first, ME, None))
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
    write(lambda connection: transitions.fail(connection, job_id, ME, "e", "d"))
    assert not active()


def test_recent_jobs_come_newest_first_and_no_more_than_asked_for(write: Write) -> None:
    made = [add(write, project_id) for project_id in "12121"]

    def recent(project_id: str | None, limit: int) -> list[str]:
        return [job.id for job in write(lambda connection: jobs.recent(connection, project_id, limit))]

    assert recent(None, 50) == made[::-1]
    assert recent(None, 2) == made[:2:-1]
    assert recent("2", 50) == [made[3], made[1]]


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


def test_only_a_job_that_waits_and_has_never_run_can_be_given_another_time(write: Write) -> None:
    died, running = add(write, "1"), add(write, "2")
    claim(write)
    claim(write)
    write(lambda connection: transitions.release(connection, died, ME, "The trainer died."))
    fresh = add(write, "1")
    before = {job_id: get(write, job_id) for job_id in (died, running)}
    for job_id in (*before, fresh, "nobody"):
        write(functools.partial(jobs.delay, job_id=job_id, not_before=5e9))
    assert get(write, fresh).not_before == 5e9
    assert {job_id: get(write, job_id) for job_id in before} == before
    write(lambda connection: jobs.delay(connection, fresh, 0.0))
    assert get(write, fresh).not_before == 0


def test_what_fit_reports_is_kept_with_the_job_the_newest_in_place_of_the_older(write: Write) -> None:
    job_id = add(write)
    claim(write)
    write(lambda connection: jobs.report(connection, job_id, ME, 0.25, {"loss": 0.5}))
    write(lambda connection: jobs.report(connection, job_id, ME, None, {"loss": 0.25, "f1": 0.75}))
    job = get(write, job_id)
    assert (job.fraction, job.metrics) == (None, {"loss": 0.25, "f1": 0.75})


@pytest.mark.parametrize("state", [JobState.FINISHED, JobState.FAILED, JobState.CANCELLED])
def test_a_job_that_is_over_is_tried_again_as_a_new_one_with_the_same_events(write: Write, state: JobState) -> None:
    job_id = add(write)
    event_id = event_of(write, job_id)
    ended(write, state, job_id)
    later = add(write)
    again = write(lambda connection: jobs.retry(connection, job_id))
    assert again not in (job_id, later)
    new = get(write, again)
    assert (new.state, new.project_id, new.action, new.attempts) == (JobState.QUEUED, "1", "ANNOTATION_CREATED", 0)
    assert get(write, job_id).state is state
    assert not is_settled(write, event_id)
    assert [event.id for event in write(lambda connection: events.of_job(connection, again))] == [event_id]
    claimed = claim(write)
    assert claimed is not None
    assert claimed.id == later  # it came before


@pytest.mark.parametrize("state", [JobState.QUEUED, JobState.STARTED])
def test_a_job_that_is_not_over_cannot_be_tried_again(write: Write, state: JobState) -> None:
    job_id = add(write)
    if state is JobState.STARTED:
        claim(write)
    with pytest.raises(RequestError, match=f"Job {job_id} is {state.value}; only a job that is over"):
        write(lambda connection: jobs.retry(connection, job_id))
    assert len(write(jobs.recent)) == 1


def test_a_job_that_does_not_exist_can_be_neither_cancelled_nor_tried_again(write: Write) -> None:
    for ask in (transitions.cancel, jobs.retry):
        with pytest.raises(NotFound, match=r"There is no job nobody\."):
            write(lambda connection, ask=ask: ask(connection, "nobody"))  # type: ignore[misc]


def test_jobs_keep_their_order_when_the_clock_is_set_back(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    first = add(write)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now - 3600)
    later = [add(write) for _ in range(3)]
    started = []
    while (job := claim(write)) is not None:
        started.append(job.id)
        write(functools.partial(transitions.finish, job_id=job.id, owner=ME, version=None))
    assert started == [first, *later]


def test_jobs_that_wait_follow_a_clock_that_was_set(write: Write) -> None:
    due = time.time() + 10
    job_id: str = write(lambda connection: jobs.add(connection, "1", "A", not_before=due))
    at_once = add(write, "2")
    write(lambda connection: jobs.shift(connection, -3600.0))
    assert get(write, job_id).not_before == pytest.approx(due - 3600)
    assert get(write, at_once).not_before == 0


def test_old_jobs_go_unless_a_version_or_events_remind_of_them(write: Write) -> None:
    old, with_version, with_events = (ended(write, JobState.FAILED) for _ in range(3))
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
