"""`POST /predict` as the ASGI application that it is, over a dispatcher that a test plays."""

from __future__ import annotations

import json
from typing import Any

import pytest

from label_studio_ml.errors import BackendError, LoadError, PredictError, Unavailable
from label_studio_ml.predict.request import Predictions
from label_studio_ml.server import asgi
from label_studio_ml.server.active_versions import ActiveVersions
from label_studio_ml.server.asgi import Answered
from label_studio_ml.server.handlers.predict import Predict
from label_studio_ml.server.metrics import Metrics
from label_studio_ml.server.problems import Problems
from label_studio_ml.store import projects
from label_studio_ml.store.database import Database

pytestmark = pytest.mark.anyio
BODY = {"tasks": [{"id": 1}, {"id": 2}], "project": "7.1", "label_config": "<View/>", "params": {"login": "x"}}


class Dispatcher:
    """Answers with what a test says."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.error: Exception | None = None

    async def predict(self, project_id: str, config: str, tasks: list[bytes], params: bytes, **more: Any) -> Any:
        self.asked.append({"project": project_id, "config": config, "tasks": tasks, "params": params, **more})
        if self.error is not None:
            raise self.error
        return Predictions([b'{"result":[] }' for _ in tasks], "4.5.6", 0)


class Scene:
    """The application, and what it was given."""

    def __init__(self, database: Database) -> None:
        self.dispatcher, self.active, self.problems = Dispatcher(), ActiveVersions(database), Problems(Metrics())
        dispatcher: Any = self.dispatcher
        self.predict = Predict(dispatcher, self.active, self.problems, 1000)
        self.returned = 0

    async def ask(self, body: Any) -> Answered:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()

        async def app(scope: Any, receive: Any, send: Any) -> None:
            self.returned = await self.predict(scope, receive, send)

        return await asgi.ask(app, asgi.scope_of("POST", "/predict", "", {}), raw)


@pytest.fixture
def scene(database: Database) -> Scene:
    return Scene(database)


async def test_results_go_into_the_reply_as_the_bytes_that_they_are(scene: Scene) -> None:
    answered = await scene.ask(BODY)
    assert (answered.status, answered.body) == (200, b'{"results":[{"result":[] },{"result":[] }]}')
    assert answered.headers["content-type"] == "application/json"
    assert scene.returned == 200
    (asked,) = scene.dispatcher.asked
    assert (asked["project"], asked["config"], asked["interactive"]) == ("7", "<View/>", False)
    assert [json.loads(task) for task in asked["tasks"]] == BODY["tasks"]


async def test_the_project_and_the_name_of_its_version_are_known_afterwards(
    scene: Scene, database: Database
) -> None:
    await scene.ask(BODY)
    assert scene.active.name("7") == "4.5.6"
    project = database.read(projects.get, "7")
    assert project is not None
    assert project.label_config == "<View/>"


@pytest.mark.parametrize(
    ("params", "interactive"), [(None, False), ({}, False), ({"context": {}}, False), ({"context": {"a": 1}}, True)]
)
async def test_a_request_with_a_context_is_a_click(scene: Scene, params: Any, interactive: bool) -> None:
    await scene.ask({**BODY, "params": params})
    (asked,) = scene.dispatcher.asked
    assert asked["interactive"] == interactive


async def test_no_tasks_need_no_model(scene: Scene) -> None:
    assert (await scene.ask({**BODY, "tasks": []})).body == b'{"results":[]}'
    assert scene.dispatcher.asked == []


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (PredictError("Task 1: it failed"), 500),
        (LoadError("no weights"), 503),
        (Unavailable("too much waits"), 503),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
async def test_what_the_dispatcher_refuses_is_said(scene: Scene, error: BackendError, status: int) -> None:
    scene.dispatcher.error = error
    answered = await scene.ask(BODY)
    assert (answered.status, json.loads(answered.body)) == (status, {"error": str(error)})
    assert scene.returned == status
    remembered = [problem.message for problem in scene.problems.last]
    assert remembered == (["no weights"] if isinstance(error, LoadError) else [])


async def test_a_fault_of_this_program_is_a_number_to_the_client(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    scene.dispatcher.error = KeyError("a secret")
    answered = await scene.ask(BODY)
    assert answered.status == 500
    assert json.loads(answered.body)["error"].startswith("Unexpected error ")
    assert b"a secret" not in answered.body
    assert "a secret" in caplog.text


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"{", 400), ({}, 400), ({**BODY, "project": []}, 400), (b" " * 1001, 413)],
    ids=["no JSON", "no tasks", "no project", "too large"],
)
async def test_a_request_that_is_not_understood_is_refused(scene: Scene, body: Any, status: int) -> None:
    assert (await scene.ask(body)).status == status
    assert scene.dispatcher.asked == []
