"""Projects: connected, copied, forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from label_studio_ml.errors import LoadError, NotFound, RequestError, WorkerDied
from label_studio_ml.predict.status import ModelStatus
from label_studio_ml.server.active_versions import ActiveVersions
from label_studio_ml.server.handlers import projects as handlers
from label_studio_ml.server.handlers.projects import Projects
from label_studio_ml.server.metrics import Metrics
from label_studio_ml.server.problems import Problems
from label_studio_ml.server.rollout import Rollout
from label_studio_ml.store import projects
from label_studio_ml.store.database import Database
from label_studio_ml.wire.requests import DuplicateRequest, ProjectRequest, SetupRequest, ValidateRequest
from tests.support.in_process_backend import Served, served
from tests.support.managed_backend import Learner, ask, trained
from tests.support.played_model import PlayedModel

CONFIG = "<View/>"


@pytest.fixture
def backend(tmp_path: Path) -> Iterator[Served]:
    with served(Learner, tmp_path) as backend:
        backend.setup()
        yield backend


def test_the_files_of_a_deleted_project_go_and_those_of_others_stay(backend: Served, tmp_path: Path) -> None:
    trained(backend)
    (folder,) = tmp_path.rglob("versions")
    ask(backend, "/duplicate_model", body={"project_src": "7", "project_dst": "8"})
    used = {path.name for path in (folder / "7").iterdir()}
    backend.annotate(2)
    newer = {path.name for path in (folder / "7").iterdir()} - used
    (folder / "9").mkdir()
    assert newer
    for project in ("7", "", "..", "%"):
        assert ask(backend, "/delete", body={"project": project}).status_code == 200
    assert sorted(path.name for path in folder.iterdir()) == ["7", "9"]
    assert {path.name for path in (folder / "7").iterdir()} == used, "the copied model still needs its files"
    assert list((folder.parent / "jobs").iterdir()) == []


# --- the handlers alone ----------------------------------------------------------------------------------


class Scene:
    """The handlers, and what they were given."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.model = PlayedModel()
        self.active, self.problems = ActiveVersions(database), Problems(Metrics())
        model: Any = self.model
        self.rollout = Rollout(database, self.active, model)
        self.handlers = Projects(database, self.active, self.rollout, model, self.problems, folder)

    async def setup(self, project: str = "7.1", schema: str = CONFIG) -> str:
        return (await self.handlers.setup(SetupRequest(project, schema))).model_version


@pytest.fixture
async def scene(database: Database, tmp_path: Path) -> Scene:
    return Scene(database, tmp_path)


@pytest.mark.anyio
async def test_setup_has_the_model_loaded_once_and_says_how_its_version_is_called(scene: Scene) -> None:
    assert [await scene.setup() for _ in range(3)] == ["1.2.3"] * 3
    assert scene.model.warmed == [("7", CONFIG)]
    await scene.setup(schema="<View></View>")
    assert scene.model.warmed == [("7", CONFIG), ("7", "<View></View>")], "another config is another instance"


@pytest.mark.anyio
async def test_setup_does_not_wait_for_a_model_that_takes_long(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handlers, "SETUP_PATIENCE", 0.01)
    scene.model.loaded.clear()
    assert await scene.setup() == "0.0.1"
    scene.model.loaded.set()
    for _ in range(5):
        await asyncio.sleep(0)
    assert scene.active.name("7") == "1.2.3", "it is known as soon as it is loaded"


@pytest.mark.anyio
async def test_setup_says_why_a_model_cannot_be_loaded_and_has_it_tried_again(scene: Scene) -> None:
    scene.model.status = ModelStatus("failed", "there is no model.py")
    with pytest.raises(LoadError, match=r"there is no model\.py"):
        await scene.setup()
    assert scene.model.retries == 1


@pytest.mark.anyio
async def test_setup_survives_a_worker_that_ends_meanwhile_but_not_a_constructor_that_raises(scene: Scene) -> None:
    scene.model.error = WorkerDied()
    assert await scene.setup() == "0.0.1"
    scene.model.error = LoadError("its constructor raised")
    with pytest.raises(LoadError, match="its constructor raised"):
        await scene.setup()


@pytest.mark.anyio
async def test_a_project_that_was_deleted_is_set_up_from_scratch(scene: Scene, database: Database) -> None:
    await scene.setup()
    scene.problems.remember("7", "a problem")
    assert (await scene.handlers.list_projects()).projects == ["7"]
    await scene.handlers.delete(ProjectRequest(7))
    assert database.read(projects.get, "7") is None
    assert scene.problems.last == []
    assert (await scene.handlers.list_projects()).projects == []
    await scene.setup()
    assert len(scene.model.warmed) == 2


@pytest.mark.anyio
async def test_only_the_model_of_a_known_project_is_copied(scene: Scene) -> None:
    with pytest.raises(NotFound, match="Project 7 is not known here"):
        await scene.handlers.duplicate(DuplicateRequest("7", "8"))
    await scene.setup()
    assert (await scene.handlers.duplicate(DuplicateRequest("7", "8"))).status == "ok"


@pytest.mark.anyio
async def test_a_labeling_config_that_is_none_is_refused_by_field(scene: Scene) -> None:
    with pytest.raises(RequestError, match="The field `config` of the request is not a labeling config: "):
        await scene.handlers.validate(ValidateRequest("<View"))
    with pytest.raises(RequestError, match="The field `schema` of the request is not a labeling config: "):
        await scene.setup(schema="<View")
    assert (await scene.handlers.validate(ValidateRequest(CONFIG))).status == "ok"
