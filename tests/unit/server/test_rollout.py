"""Which version predicts, when several web processes share a store."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from sqlalchemy import Connection

from label_studio_ml import settings
from label_studio_ml.author.host import ModelHost
from label_studio_ml.model import LabelStudioMLBase
from label_studio_ml.predict.in_process import InProcess
from label_studio_ml.server.active_versions import ActiveVersions
from label_studio_ml.server.rollout import Rollout
from label_studio_ml.store import projects, versions
from label_studio_ml.store.database import Database
from label_studio_ml.store.versions import Version


class Slow(InProcess):
    """A runner that has a version loaded only once `go` is set."""

    loading: asyncio.Event
    go: asyncio.Event

    async def swap(self, project_id: str, version: int, activate: Callable[[str], Awaitable[None]]) -> None:
        self.loading.set()
        await self.go.wait()
        await super().swap(project_id, version, activate)


class Process:
    """The part of a web process that decides which version predicts."""

    def __init__(self, database: Database, folder: Path) -> None:
        config = settings.load({}, model_dir=folder)
        self.active = ActiveVersions(database)
        self.runner = Slow(ModelHost(LabelStudioMLBase, {}, config, database), config, self.active.number)
        self.runner.loading, self.runner.go = asyncio.Event(), asyncio.Event()
        self.rollout = Rollout(database, self.active, self.runner)


def trained(database: Database) -> None:
    """A training has just left another version of project 7."""

    def publish(connection: Connection) -> None:
        version = Version(project_id="7", number=0, name="", parent=0)
        versions.publish(connection, version, {}, author_name=None)

    database.write(publish)


@pytest.mark.anyio
async def test_a_process_that_loads_slowly_does_not_bring_an_older_version_back(
    database: Database, tmp_path: Path
) -> None:
    database.write(projects.save, "7")
    slow, quick = Process(database, tmp_path), Process(database, tmp_path)
    quick.runner.go.set()

    trained(database)
    await slow.active.know("7")
    loading = asyncio.create_task(slow.rollout.refresh())
    await slow.runner.loading.wait()
    trained(database)
    await quick.rollout.refresh()
    assert quick.active.number("7") == 2

    slow.runner.go.set()
    await loading
    await quick.rollout.refresh()
    assert [quick.active.number("7"), slow.active.number("7")] == [2, 2]
    active = database.read(versions.active, "7")
    assert active is not None
    assert active.number == 2
    for process in (slow, quick):
        await process.runner.stop(1)
