"""Annotations are counted as far as events tell: useful ones, and those that no training has seen."""

from __future__ import annotations

import pytest

from label_studio_ml.store import counts
from label_studio_ml.store.database import Database
from label_studio_ml.wire.events import Touched

pytestmark = pytest.mark.every_database


def made(number: int, *, skipped: bool = False) -> Touched:
    return Touched(annotation=str(number), task=f"task {number}", skipped=skipped)


def test_an_annotation_counts_once_however_often_it_is_said(database: Database) -> None:
    for _ in range(2):
        database.write(counts.follow, "1", [made(1), made(2)])
    database.write(counts.follow, "2", [made(1)])
    assert database.read(counts.count, "1") == (2, 2)
    assert database.read(counts.count, "3") == (0, 0)


def test_a_skipped_one_counts_when_it_is_filled_in_later(database: Database) -> None:
    database.write(counts.follow, "1", [made(1, skipped=True)])
    assert database.read(counts.count, "1") == (0, 0)
    database.write(counts.follow, "1", [made(1)])
    assert database.read(counts.count, "1") == (1, 1)


def test_what_a_training_sees_is_not_new_any_more_also_when_it_is_changed(database: Database) -> None:
    database.write(counts.follow, "1", [made(1), made(2)])
    database.write(counts.mark_trained, "1")
    database.write(counts.follow, "1", [made(2), made(3)])
    assert database.read(counts.count, "1") == (3, 1)


def test_deleted_annotations_and_those_of_deleted_tasks_are_forgotten(database: Database) -> None:
    database.write(counts.follow, "1", [made(1), made(2), made(3)])
    database.write(counts.follow, "1", [Touched("1", "", gone=True), Touched("", "task 2", gone=True)])
    assert database.read(counts.count, "1") == (1, 1)
