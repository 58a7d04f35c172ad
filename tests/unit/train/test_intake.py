"""Events that come together share a commit; each gets its own answer."""

from __future__ import annotations

import asyncio
import functools
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, event

from label_studio_ml.errors import StoreError
from label_studio_ml.processes.messages import Description
from label_studio_ml.store import counts, events, jobs, projects
from label_studio_ml.store.database import Database
from label_studio_ml.train.intake import Arrival, Intake
from label_studio_ml.train.policy import Rules
from label_studio_ml.wire import events as protocol

pytestmark = pytest.mark.anyio

CREATED = "ANNOTATION_CREATED"


def arrival(number: int, project_id: str = "1", action: str = CREATED, **changes: Any) -> Arrival:
    touched = [protocol.Touched(str(number), "7")]
    return Arrival(project_id=project_id, action=action, payload=b"%d" % number, touched=touched, **changes)


class Door:
    """An intake for a class of a generation, which is not known yet while `generation` is None."""

    def __init__(self, database: Database, generation: int | None, rules: Rules | None = None) -> None:
        self.generation, self.rules = generation, rules or Rules(debounce=0.0)
        self.intake = Intake(database, self.description, lambda _: self.rules)

    def description(self) -> Description | None:
        if self.generation is None:
            return None
        return Description("M", self.generation, [CREATED], learns=True, concurrent=False)

    async def add(self, *arrivals: Arrival) -> list[str | None]:
        return list(await asyncio.gather(*map(self.intake.add, arrivals)))


async def test_events_that_come_together_share_a_commit(database: Database) -> None:
    door = Door(database, 1)
    commits: list[Connection] = []
    event.listen(database._engine, "commit", commits.append)
    answers = await door.add(*(arrival(number) for number in range(300)))
    assert len(commits) <= 3
    assert len(set(answers)) == 1
    stored = database.read(lambda connection: list(events.of_project(connection, "1")))
    assert [one.payload for one in stored] == [b"%d" % number for number in range(300)]
    assert {one.job_id for one in stored} == set(answers)
    assert database.read(counts.count, "1") == (300, 0)


async def test_generation_2_gets_a_job_for_each_in_the_order_in_which_they_came(database: Database) -> None:
    answers = await Door(database, 2).add(*(arrival(number, str(number % 2 + 1)) for number in range(40)))
    assert len(set(answers)) == 40
    for project in (1, 2):
        queued = database.read(functools.partial(jobs.recent, project_id=str(project)))
        assert [job.id for job in reversed(queued)] == answers[project - 1 :: 2]


async def test_an_event_that_trains_nothing_has_no_job_and_costs_the_others_nothing(database: Database) -> None:
    taken, useless, nobody = await Door(database, 1).add(
        arrival(1), arrival(2, action="PROJECT_UPDATED"), arrival(3, project_id="")
    )
    assert taken is not None
    assert (useless, nobody) == (None, None)
    assert database.read(events.projects_pending) == []


async def test_events_wait_for_a_class_that_is_not_known_yet(database: Database) -> None:
    door = Door(database, None)
    assert await door.add(arrival(1), arrival(2)) == [None, None]
    door.generation = 1
    (job_id,) = await door.add(arrival(3))
    assert job_id is not None
    brought = database.read(events.of_job, job_id)
    assert [one.payload for one in brought] == [b"1", b"2", b"3"]


async def test_events_that_wait_for_more_are_taken_up_together(database: Database) -> None:
    door = Door(database, 1, Rules(every=3, debounce=0.0))
    assert await door.add(arrival(1)) == [None]
    assert await door.add(arrival(2), arrival(2)) == [None, None]  # told twice
    (job_id,) = await door.add(arrival(3))
    assert job_id is not None
    assert len(database.read(events.of_job, job_id)) == 4


async def test_the_newest_labeling_config_of_several_events_is_kept(database: Database) -> None:
    await Door(database, 1).add(
        arrival(1, label_config="<View/>"), arrival(2, label_config="<View>2</View>"), arrival(3)
    )
    project = database.read(projects.get, "1")
    assert project is not None
    assert project.label_config == "<View>2</View>"


async def test_the_fault_of_one_event_costs_the_others_nothing(database: Database) -> None:
    door = Door(database, 1)
    unfit = Arrival(project_id="1", action=CREATED, payload=b"2", touched=[object()])  # type: ignore[list-item]
    first, bad, last = await asyncio.gather(
        door.intake.add(arrival(1)), door.intake.add(unfit), door.intake.add(arrival(3)), return_exceptions=True
    )
    assert isinstance(bad, AttributeError)
    assert isinstance(first, str)
    assert isinstance(last, str)
    stored = database.read(lambda connection: list(events.of_project(connection, "1")))
    assert [one.payload for one in stored] == [b"1", b"3"]


async def test_every_sender_hears_that_the_store_cannot_be_used(database: Database, tmp_path: Path) -> None:
    door = Door(database, 1)
    (tmp_path / "store.db").unlink()
    answers = await asyncio.gather(
        *(door.intake.add(arrival(number)) for number in range(5)), return_exceptions=True
    )
    assert all(isinstance(answer, StoreError) for answer in answers)


async def test_an_event_is_stored_although_its_sender_has_hung_up(database: Database) -> None:
    door = Door(database, 1)
    sending = asyncio.create_task(door.intake.add(arrival(1)))
    await asyncio.sleep(0)
    sending.cancel()
    assert await door.add(arrival(2)) != [None]
    stored = database.read(lambda connection: list(events.of_project(connection, "1")))
    assert [one.payload for one in stored] == [b"1", b"2"]
