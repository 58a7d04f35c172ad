"""What nobody needs any more is deleted, and nothing else."""

from __future__ import annotations

import asyncio
import shutil
import time
from pathlib import Path

import pytest
from sqlalchemy import text

from label_studio_ml.store import events, projects, versions
from label_studio_ml.store.database import Database
from label_studio_ml.train.housekeeping import Housekeeping
from tests.support.scheduler_scene import Scene, Trainer, ended, trained, until

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("quick")]


def housekeeping(scene: Scene) -> Housekeeping:
    return Housekeeping(scene.database, scene.settings, lambda: scene.description)


def processed(scene: Scene, age: float, project_id: str = "1") -> int:
    """An event that was processed some seconds ago."""
    event_id = scene.event(project_id)
    query = text("UPDATE events SET processed_at = :at WHERE id = :id")
    scene.database.write(lambda connection: connection.execute(query, {"at": time.time() - age, "id": event_id}))
    return event_id


def kept(scene: Scene) -> list[int]:
    query = text("SELECT id FROM events ORDER BY id")
    return scene.database.read(lambda connection: list(connection.execute(query).scalars()))


@pytest.mark.parametrize(
    ("generation", "reached", "goes"),
    [(2, False, True), (2, True, True), (1, True, True), (1, False, False)],
)
async def test_old_events_are_deleted_unless_they_are_all_that_fit_could_learn_from(
    database: Database, tmp_path: Path, generation: int, reached: bool, goes: bool
) -> None:
    scene = Scene(database, tmp_path, Trainer(), generation=generation, keep_events="1h")
    if reached:
        database.write(projects.reached, "1")
    old, recent = processed(scene, 3700), processed(scene, 3500)
    waiting = database.write(events.add, "", "A", b"{}")
    loop = asyncio.create_task(housekeeping(scene).main_loop())
    if goes:
        await until(lambda: kept(scene) == [recent, waiting], "the old event to be deleted")
    else:
        await asyncio.wait([loop], timeout=0.2)
        assert kept(scene) == [old, recent, waiting]
    await ended(loop)


async def test_an_event_that_still_waits_is_kept_whatever_its_age(database: Database, tmp_path: Path) -> None:
    scene = Scene(database, tmp_path, Trainer(), keep_events="0")
    waiting, gone = scene.event(), processed(scene, 10)
    loop = asyncio.create_task(housekeeping(scene).main_loop())
    await until(lambda: gone not in kept(scene), "the old event to be deleted")
    assert kept(scene) == [waiting]
    await ended(loop)


async def test_only_the_newest_versions_and_the_active_one_are_kept_others_go_with_their_folders(
    database: Database, tmp_path: Path
) -> None:
    scene = Scene(database, tmp_path, Trainer(), keep_versions=2)
    folders = trained(scene, 5)
    database.write(versions.activate, "1", 1)
    loop = asyncio.create_task(housekeeping(scene).main_loop())
    expected = [True, False, False, True, True]
    await until(lambda: [folder.exists() for folder in folders] == expected, "the surplus folders to go")
    found = database.read(versions.of_project, "1")
    assert sorted(version.number for version in found) == [0, 1, 4, 5]
    await ended(loop)


async def test_all_versions_are_kept_unless_a_number_is_given(database: Database, tmp_path: Path) -> None:
    scene = Scene(database, tmp_path, Trainer())
    folders = trained(scene, 3)
    await housekeeping(scene).prune_versions()
    assert all(folder.is_dir() for folder in folders)


async def test_a_folder_that_is_gone_already_does_not_matter(database: Database, tmp_path: Path) -> None:
    scene = Scene(database, tmp_path, Trainer(), keep_versions=1)
    first, second = trained(scene, 2)
    shutil.rmtree(first)
    await housekeeping(scene).prune_versions()
    assert second.is_dir()
