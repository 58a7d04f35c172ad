"""Whatever order servers, trainers and people act in: the rules that the store keeps."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as some
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import Connection, text

from label_studio_ml.processes.messages import Description
from label_studio_ml.store import events, jobs, projects, transitions, values, versions
from label_studio_ml.store.database import Database
from label_studio_ml.store.jobs import JobState
from label_studio_ml.store.versions import Version
from label_studio_ml.train import policy
from label_studio_ml.train.policy import Rules
from tests.support.postgresql import emptied

PROJECTS, OWNERS = ["1", "2"], ["server a", "server b"]
ENDS = {JobState.FINISHED, JobState.FAILED, JobState.CANCELLED}


def describe(generation: int) -> Description:
    return Description("M", generation, ["ANNOTATION_CREATED"], learns=True, concurrent=False)


class Store(RuleBasedStateMachine):
    """Two servers over one store. Project `1` has a generation-1 model, project `2` one of generation 2."""

    def __init__(self, database: Database) -> None:
        super().__init__()
        self.database = database
        self.running: dict[str, str] = {}  # job -> its owner
        self.ended: dict[str, JobState] = {}
        self.unwanted: set[str] = set()  # asked to end while they ran
        self.retried: set[str] = set()
        self.values: dict[tuple[str, int], dict[str, Any]] = {}

    def teardown(self) -> None:
        self.database.close()

    @initialize()
    def two_projects_are_known(self) -> None:
        self.database.write(lambda connection: [projects.save(connection, name) for name in PROJECTS])
        self.values = {(name, 0): {} for name in PROJECTS}

    @rule(project=some.sampled_from(PROJECTS), action=some.sampled_from(["ANNOTATION_CREATED", "PROJECT_UPDATED"]))
    def an_event_comes(self, project: str, action: str) -> None:
        def change(connection: Connection) -> None:
            events.add(connection, project, action, b"{}")
            policy.take_up(connection, project, describe(int(project)), Rules())

        self.database.write(change)

    @rule(owner=some.sampled_from(OWNERS), later=some.sampled_from([0, 1000]))
    def a_server_claims(self, owner: str, later: int) -> None:
        now = time.time() + later
        before = self.database.read(jobs.recent, limit=10_000)
        job = self.database.write(transitions.claim, owner, 30, now=now)
        if job is not None:
            waited = [
                each for each in before if each.project_id == job.project_id and each.state is JobState.QUEUED
            ]
            assert job.id == waited[-1].id  # in order, also when the first has to wait
            assert job.not_before <= now
            assert job.id not in self.running
            assert job.id not in self.ended
            self.running[job.id] = owner

    @precondition(lambda self: self.running)
    @rule(
        data=some.data(),
        owner=some.sampled_from(OWNERS),
        how=some.sampled_from(["finish", "train", "fail", "release", "postpone", "cancelled", "give back"]),
    )
    def a_job_ends(self, data: Any, owner: str, how: str) -> None:
        job_id = data.draw(some.sampled_from(sorted(self.running)))
        mine = self.running[job_id] == owner
        done = self.database.write(self._end, job_id, owner, how)
        assert bool(done) == mine or how == "give back"
        if mine:
            del self.running[job_id]
            job = self.database.read(jobs.get, job_id)
            assert job is not None
            if job.state in ENDS:
                self.ended[job_id] = job.state
            assert 0 <= job.attempts <= transitions.MAX_ATTEMPTS
            assert job.state in ENDS or job_id not in self.unwanted or how == "give back"

    def _end(self, connection: Connection, job_id: str, owner: str, how: str) -> Any:
        if how == "give back":
            return transitions.give_back(connection, job_id, owner)
        if how == "release":
            return transitions.release(connection, job_id, owner, "died")
        if how == "postpone":
            cancelled = (job_id in self.unwanted) and self.running[job_id] == owner
            return transitions.postpone(connection, job_id, owner, "Label Studio is down") or cancelled
        if how == "cancelled":
            return transitions.end_cancelled(connection, job_id, owner)
        if how == "fail":
            return transitions.fail(connection, job_id, owner, "error", "detail")
        if how == "finish" or self.running[job_id] != owner:
            return transitions.finish(connection, job_id, owner, None)
        job = jobs.get(connection, job_id)
        assert job is not None
        parent = versions.newest(connection, job.project_id)
        assert parent is not None
        new = Version(project_id=job.project_id, number=0, name="", parent=parent.number, created_at=time.time())
        stored = versions.publish(connection, new, {"by": job_id}, author_name=None)
        inherited = self.values[job.project_id, parent.number]
        self.values[job.project_id, stored.number] = {**inherited, "by": job_id, "model_version": stored.name}
        return transitions.finish(connection, job_id, owner, stored.number)

    @precondition(lambda self: self.running or self.ended)
    @rule(data=some.data(), retry=some.booleans())
    def somebody_cancels_or_tries_again(self, data: Any, retry: bool) -> None:
        known = self.database.read(jobs.recent, limit=10_000)
        job = data.draw(some.sampled_from(known))
        if retry and not job.active:
            again = self.database.write(jobs.retry, job.id)
            self.retried.add(again)
        elif not retry:
            state = self.database.write(transitions.cancel, job.id)
            if job.state is JobState.QUEUED:
                assert state is JobState.CANCELLED
                self.ended[job.id] = state
            elif job.state is JobState.STARTED:
                self.unwanted.add(job.id)
            else:
                assert state is self.ended[job.id]

    @rule(works=some.booleans())
    def versions_are_tried(self, works: bool) -> None:
        def change(connection: Connection) -> None:
            for project, number in versions.untried(connection).items():
                if works:
                    versions.activate(connection, project, number)
                else:
                    versions.fail(connection, project, number, "no weights")

        self.database.write(change)

    @rule(data=some.data(), project=some.sampled_from(PROJECTS))
    def somebody_goes_back(self, data: Any, project: str) -> None:
        known = self.database.read(versions.of_project, project)
        number = data.draw(some.sampled_from([version.number for version in known]))
        self.database.write(versions.activate, project, number)

    @invariant()
    def the_rules_hold(self) -> None:
        if self.values:
            self.database.read(self._check)

    def _check(self, connection: Connection) -> None:
        everything = jobs.recent(connection, limit=10_000)
        for project in PROJECTS:
            mine = [job for job in everything if job.project_id == project]
            assert sum(job.state is JobState.STARTED for job in mine) <= 1
            if project == "1":
                waiting = [job for job in mine if job.state is JobState.QUEUED and job.id not in self.retried]
                assert len(waiting) <= 2  # one may have come back
            known = versions.of_project(connection, project)
            assert len({version.name for version in known}) == len(known)
            assert sorted(version.number for version in known) == list(range(len(known)))
            active = versions.active(connection, project)
            assert active is not None
            assert active.state == "ready"
            newest = versions.newest(connection, project)
            assert newest is not None
            assert newest.state in ("ready", "new")
            for version in known:
                kept = values.items(connection, project, version.number)
                assert kept == self.values[project, version.number]
        assert {job.id for job in everything if job.state is JobState.STARTED} == set(self.running)
        assert {job.id: job.state for job in everything if not job.active} == self.ended
        assert {job.id: job.lease_owner for job in everything if job.lease_owner} == self.running
        settled = text("SELECT id, job_id, processed_at FROM events")
        for _, job_id, processed_at in connection.execute(settled):
            assert (processed_at is not None) == (job_id is None or job_id in self.ended)


SETTINGS = settings(max_examples=15, stateful_step_count=25, deadline=None)


def test_the_rules_hold_on_sqlite(migrated: Path, tmp_path: Path) -> None:
    class OnSqlite(Store):
        def __init__(self) -> None:
            super().__init__(Database(f"sqlite:///{shutil.copy(migrated, tmp_path / 'store.db')}"))

    run_state_machine_as_test(OnSqlite, settings=SETTINGS)


@pytest.mark.postgresql
def test_the_rules_hold_on_postgresql(postgresql: str) -> None:
    class OnPostgresql(Store):
        def __init__(self) -> None:
            super().__init__(emptied(postgresql))

    run_state_machine_as_test(OnPostgresql, settings=SETTINGS)
