"""Which version serves, when several web processes share a store."""

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
from label_studio_ml.server.active_versions import Serving
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


def process(database: Database, folder: Path) -> tuple[Serving, Slow]:
    """The part of a web process that decides which version serves."""
    serving = Serving(database)
    config = settings.load({}, model_dir=folder)
    runner = Slow(ModelHost(LabelStudioMLBase, {}, config, database), config, serving.number)
    runner.loading, runner.go = asyncio.Event(), asyncio.Event()
    serving.runner = runner
    return serving, runner


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
    (slow, slow_runner), (quick, quick_runner) = process(database, tmp_path), process(database, tmp_path)
    quick_runner.go.set()

    trained(database)
    await slow.know("7")
    loading = asyncio.create_task(slow.refresh())
    await slow_runner.loading.wait()
    trained(database)
    await quick.refresh()
    assert quick.number("7") == 2

    slow_runner.go.set()
    await loading
    await quick.refresh()
    assert [quick.number("7"), slow.number("7")] == [2, 2]
    active = database.read(versions.active, "7")
    assert active is not None
    assert active.number == 2
    for runner in (slow_runner, quick_runner):
        await runner.stop(1)
