"""The state of the backend: for those who may see everything, and for those who show no credentials."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from starlette.requests import Request
from starlette.responses import Response

from label_studio_ml import __version__, settings
from label_studio_ml.predict.status import ModelStatus
from label_studio_ml.processes.messages import Description, Problem
from label_studio_ml.server.active_versions import ActiveVersions
from label_studio_ml.server.handlers.health import Health
from label_studio_ml.server.metrics import Metrics
from label_studio_ml.server.problems import Problems
from label_studio_ml.store.database import Database
from label_studio_ml.train import policy
from label_studio_ml.wire.replies import State
from tests.support.played_model import LEARNS, NEVER_LEARNS, PlayedModel

pytestmark = pytest.mark.anyio


class Scene:
    """The handlers, and what they were given."""

    def __init__(self, database: Database, **options: Any) -> None:
        self.model, self.active, self.problems = PlayedModel(), ActiveVersions(database), Problems(Metrics())
        config = settings.load({}, **options)
        model: Any = self.model
        dispatcher: Any = type("Dispatcher", (), {"queued_tasks": 3})()
        self.handlers = Health(
            model,
            dispatcher,
            self.active,
            self.problems,
            Metrics(),
            lambda description: policy.rules(config, description),
            Path("/models"),
            {"openapi": "3.1.0"},
        )

    async def health(self, *, authenticated: bool = True) -> dict[str, Any]:
        answer = await self.handlers.health(Request({"type": "http", "authenticated": authenticated}))
        found: dict[str, Any] = json.loads(msgspec.json.encode(answer))
        return found


@pytest.fixture
async def scene(database: Database) -> Scene:
    return Scene(database)


async def test_everything_is_said_to_those_who_may_know(scene: Scene) -> None:
    await scene.active.know("7")
    scene.problems.problem("7", Problem(0, "5", "invalid", "it has no such label", "label", "sentiment"))
    said = await scene.health()
    (problem,) = said.pop("problems")
    assert problem.pop("time").endswith("Z")
    assert problem == {
        "project": "7",
        "task": "5",
        "message": "it has no such label",
        "reason": "label",
        "control": "sentiment",
    }
    assert said == {
        "status": "UP",
        "model": {"state": "ready"},
        "model_class": "Model",
        "model_dir": "/models",
        "version": __version__,
        "store": {"state": "ok"},
        "queued_tasks": 3,
        "projects": [{"project": "7", "model_version": "0.0.1"}],
        "train_events": ["ANNOTATION_CREATED"],
        "webhook_events": [
            "PROJECT_UPDATED",
            "TASKS_CREATED",
            "TASKS_DELETED",
            "ANNOTATION_CREATED",
            "ANNOTATIONS_CREATED",
        ],
    }


async def test_without_credentials_no_more_is_said_than_a_load_balancer_needs(scene: Scene) -> None:
    scene.model.status = ModelStatus("failed", "a secret path is missing")
    assert await scene.health(authenticated=False) == {"status": "UP", "model": {"state": "failed"}}


async def test_a_class_that_failed_says_why_and_has_no_events(scene: Scene) -> None:
    scene.model.status = ModelStatus("failed", "there is no model.py")
    said = await scene.health()
    assert said["model"] == {"state": "failed", "error": "there is no model.py"}
    assert said["model_class"] is None
    assert not {"train_events", "webhook_events"} & set(said)


async def test_a_class_that_does_not_learn_needs_no_annotations(scene: Scene) -> None:
    scene.model.status = ModelStatus("ready", description=NEVER_LEARNS)
    said = await scene.health()
    assert said["train_events"] == []
    assert said["webhook_events"] == ["PROJECT_UPDATED", "TASKS_CREATED", "TASKS_DELETED"]


@pytest.mark.parametrize(
    ("description", "options", "counted"),
    [
        (LEARNS, {}, False),
        (LEARNS, {"train_every": 5}, True),
        (msgspec.structs.replace(LEARNS, generation=1), {}, True),
        (LEARNS, {"train_every": 5, "train_on": "never"}, False),
    ],
    ids=["each event", "every five", "generation 1", "never"],
)
async def test_where_annotations_are_counted_the_webhook_sends_every_change_of_them(
    database: Database, description: Description, options: dict[str, Any], counted: bool
) -> None:
    scene = Scene(database, **options)
    scene.model.status = ModelStatus("ready", description=description)
    assert ("ANNOTATIONS_DELETED" in (await scene.health())["webhook_events"]) == counted


@pytest.mark.parametrize(("accept", "page"), [("text/html,*/*", True), ("application/json", False), ("", False)])
async def test_a_browser_gets_a_page_and_a_program_gets_json(scene: Scene, accept: str, page: bool) -> None:
    scope = {"type": "http", "scheme": "http", "headers": [(b"accept", accept.encode()), (b"host", b"here:9090")]}
    answer = await scene.handlers.index(Request({**scope, "root_path": "/ml"}))
    if page:
        assert isinstance(answer, Response)
        assert b"http://here:9090/ml" in answer.body
        assert answer.headers["x-frame-options"] == "DENY"
    else:
        assert isinstance(answer, State)


async def test_the_document_is_given_as_it_is(scene: Scene) -> None:
    assert json.loads(bytes((await scene.handlers.openapi()).body)) == {"openapi": "3.1.0"}
    assert b"label_studio_ml_build_info" in (await scene.handlers.metrics()).body
