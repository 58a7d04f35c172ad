"""Tasks that arrive as bytes: one that cannot be read costs only itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from label_studio_ml import settings
from label_studio_ml.author.host import ModelHost
from label_studio_ml.model import LabelStudioMLBase
from label_studio_ml.processes.messages import Predict
from label_studio_ml.store.database import Database


class Echo(LabelStudioMLBase):
    """Answers each task with its id, and remembers what it was given."""

    given: list[list[int]] = []  # noqa: RUF012 - shared on purpose

    def predict(
        self, tasks: list[dict[str, Any]], context: dict[str, Any] | None = None, **kwargs: Any
    ) -> list[dict[str, Any]]:
        self.given.append([task["id"] for task in tasks])
        return [{"result": [{"id": str(task["id"])}]} for task in tasks]


def task(number: int) -> bytes:
    return b'{"id": %d, "data": {}}' % number


@pytest.mark.parametrize("odd", [b'{"id": 9, "data": "\xff"}', b'{"id": 9, "x": 1e999}', b"[]", b"7", b"null"])
def test_a_task_that_cannot_be_read_costs_only_itself(database: Database, tmp_path: Path, odd: bytes) -> None:
    Echo.given.clear()
    host = ModelHost(Echo, {}, settings.load({}, model_dir=tmp_path), database)
    answer = host.predict(Predict("1", None, 0, [task(1), odd, task(2), odd, task(3)], [3, 1, 1]))
    found = [json.loads(item) and json.loads(item)["result"][0]["id"] for item in answer.results]
    assert found == ["1", [], "2", [], "3"]
    assert [problem.place for problem in answer.problems] == [1, 3]
    assert all("the task is not understood" in problem.message for problem in answer.problems)
    assert Echo.given == [[1, 2, 3]]


def test_when_no_task_can_be_read_the_model_is_not_asked(database: Database, tmp_path: Path) -> None:
    Echo.given.clear()
    host = ModelHost(Echo, {}, settings.load({}, model_dir=tmp_path), database)
    answer = host.predict(Predict("1", None, 0, [b"[]", b"1"], [2]))
    assert answer.results == [b"[]", b"[]"]
    assert Echo.given == []
