"""What Label Studio tells is on disk before the reply, whatever the model does."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from msgspec import UNSET

from label_studio_ml.errors import RequestError, StoreError
from label_studio_ml.predict.status import ModelStatus
from label_studio_ml.server.handlers.webhooks import Webhooks
from label_studio_ml.server.metrics import Metrics
from label_studio_ml.server.problems import Problems
from label_studio_ml.server.training import Training
from label_studio_ml.store import jobs, projects
from label_studio_ml.store.database import Database
from label_studio_ml.train.intake import Arrival
from label_studio_ml.wire.events import Touched
from tests.support.played_model import LEARNS, NEVER_LEARNS, PlayedModel

pytestmark = pytest.mark.anyio
WEBHOOK = {
    "action": "ANNOTATION_CREATED",
    "project": {"id": 7, "label_config": "<View/>"},
    "annotation": {"id": 3, "task": 5},
    "unknown to us": [1, {"deep": None}],
}
TRAIN = {"annotations": [{"id": 1}], "project": "7.1", "label_config": "<View/>"}


class Intake:
    """Takes events up, or cannot."""

    def __init__(self) -> None:
        self.arrived: list[Arrival] = []
        self.job_id: str | None = "job"
        self.error: StoreError | None = None

    async def add(self, arrival: Arrival) -> str | None:
        if self.error is not None:
            raise self.error
        self.arrived.append(arrival)
        return self.job_id


class Scheduler:
    """Is told that there may be work, and in the calling process does it."""

    def __init__(self, due: int = 0) -> None:
        self.woken, self.due = 0, due

    def wake(self) -> None:
        self.woken += 1

    async def step(self) -> bool:
        self.due -= 1
        return self.due >= 0


class Rollout:
    """Is told that there may be another version."""

    refreshed = 0

    async def refresh(self) -> None:
        self.refreshed += 1


class Scene:
    """The handlers, and what they were given."""

    def __init__(self, database: Database, *, due: int = 0, in_process: bool = False) -> None:
        self.intake, self.scheduler, self.rollout = Intake(), Scheduler(due), Rollout()
        self.model, self.problems = PlayedModel(), Problems(Metrics())
        intake: Any = self.intake
        scheduler: Any = self.scheduler
        rollout: Any = self.rollout
        model: Any = self.model
        training = Training(intake, scheduler, rollout, self.problems, in_process=in_process)
        self.handlers = Webhooks(database, training, model)


@pytest.fixture
async def scene(database: Database) -> Scene:
    return Scene(database)


def sent(body: dict[str, Any], **more: Any) -> bytes:
    return json.dumps({**body, **more}).encode()


async def test_an_event_is_stored_as_it_came_with_what_it_is_about(scene: Scene) -> None:
    raw = sent(WEBHOOK)
    reply = await scene.handlers.webhook(raw)
    assert (reply.status, reply.job) == ("ok", "job")
    assert scene.intake.arrived == [
        Arrival(
            project_id="7",
            action="ANNOTATION_CREATED",
            payload=raw,
            label_config="<View/>",
            touched=[Touched("3", "5")],
        )
    ]
    assert scene.scheduler.woken == 1


async def test_an_event_that_trains_nothing_has_no_job(scene: Scene) -> None:
    scene.intake.job_id = None
    assert (await scene.handlers.webhook(sent(WEBHOOK))).job is UNSET


async def test_what_cannot_be_stored_is_known_until_something_can(scene: Scene) -> None:
    scene.intake.error = StoreError("the disk is full")
    with pytest.raises(StoreError):
        await scene.handlers.webhook(sent(WEBHOOK))
    assert (scene.problems.store.state, scene.problems.store.error) == ("failed", "the disk is full")
    assert scene.scheduler.woken == 0
    scene.intake.error = None
    await scene.handlers.webhook(sent(WEBHOOK))
    assert (scene.problems.store.state, scene.problems.store.error) == ("ok", UNSET)


async def test_in_the_calling_process_training_is_over_before_the_reply(database: Database) -> None:
    scene = Scene(database, due=2, in_process=True)
    await scene.handlers.webhook(sent(WEBHOOK))
    assert (scene.scheduler.woken, scene.rollout.refreshed) == (0, 2)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"{", "is not JSON"),
        (b"[]", "The body of the request is wrong: Expected `object`, got `array`"),
        (b"{}", "Object missing required field `action`"),
        (sent(WEBHOOK, action=1), "The field `action` of the request is wrong: Expected `str`, got `int`"),
        (sent(WEBHOOK, action="A\nB"), "The field `action` of the request is wrong: a name has no control"),
        (sent(WEBHOOK, project={"id": [1]}), r"The field `project\.id` of the request is wrong"),
        (sent(WEBHOOK, project=7, label_config="<!DOCTYPE x>"), "it has a document type"),
    ],
    ids=lambda value: str(value)[:30],
)
async def test_an_event_that_is_not_understood_is_refused_by_field(scene: Scene, body: bytes, words: str) -> None:
    with pytest.raises(RequestError, match=words):
        await scene.handlers.webhook(body)
    assert scene.intake.arrived == []


async def test_older_versions_train_with_what_they_send(scene: Scene) -> None:
    raw = sent(TRAIN)
    assert (await scene.handlers.train(raw)).job == "job"
    (arrival,) = scene.intake.arrived
    assert (arrival.project_id, arrival.action, arrival.payload) == ("7", "START_TRAINING", raw)
    with pytest.raises(RequestError, match="`annotations` of the request is empty"):
        await scene.handlers.train(sent(TRAIN, annotations=[]))


async def test_train_waits_for_the_class_to_be_loaded_so_that_it_can_name_the_job(
    scene: Scene, database: Database
) -> None:
    scene.intake.job_id, scene.model.status = None, ModelStatus("loading")
    asking = asyncio.create_task(scene.handlers.train(sent(TRAIN)))
    await asyncio.sleep(0)
    assert not asking.done()
    database.write(projects.save, "7")
    job_id = database.write(jobs.add, "7", "START_TRAINING")
    scene.model.status = ModelStatus("ready", description=LEARNS)
    assert (await asyncio.wait_for(asking, 10)).job == job_id


async def test_train_names_no_job_when_the_class_turns_out_not_to_learn(scene: Scene) -> None:
    scene.intake.job_id, scene.model.status = None, ModelStatus("loading")
    asking = asyncio.create_task(scene.handlers.train(sent(TRAIN)))
    await asyncio.sleep(0)
    scene.model.status = ModelStatus("ready", description=NEVER_LEARNS)
    assert (await asyncio.wait_for(asking, 10)).job is UNSET
