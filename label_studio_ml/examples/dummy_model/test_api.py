"""Calls the dummy model as Label Studio does. Run with `python -m pytest test_api.py` in this folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from dummy_model import DummyModel

from label_studio_ml.api import init_app

PROJECT = "1.1700000000"
CHOICES = """
<View>
  <Text name="text" value="$text"/>
  <Choices name="sentiment" toName="text"><Choice value="Positive"/><Choice value="Negative"/></Choices>
</View>
"""
BOXES = """
<View>
  <Image name="image" value="$image"/>
  <RectangleLabels name="box" toName="image"><Label value="Car"/><Label value="Person"/></RectangleLabels>
</View>
"""
STARS = '<View><Text name="text" value="$text"/><Rating name="stars" toName="text"/></View>'


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("MODEL_DIR", str(tmp_path))
    with init_app(model_class=DummyModel).test_client() as client:
        yield client


def predict(client: Any, label_config: str) -> Any:
    client.post("/setup", json={"project": PROJECT, "schema": label_config})
    tasks = [{"id": 1, "data": {"text": "a", "image": "a.png"}}]
    request = {"project": PROJECT, "label_config": label_config, "tasks": tasks}
    return client.post("/predict", json=request).json["results"][0]


def test_a_choice_comes_from_the_labeling_config(client: Any) -> None:
    prediction = predict(client, CHOICES)
    region = prediction["result"][0]
    assert (region["from_name"], region["to_name"], region["type"]) == ("sentiment", "text", "choices")
    assert region["value"]["choices"][0] in {"Positive", "Negative"}
    assert 0 <= prediction["score"] <= 1


def test_a_box_comes_from_the_labeling_config(client: Any) -> None:
    region = predict(client, BOXES)["result"][0]
    assert region["type"] == "rectanglelabels"
    assert region["value"]["rectanglelabels"][0] in {"Car", "Person"}


def test_a_control_it_does_not_know_stays_empty(client: Any) -> None:
    assert predict(client, STARS)["result"] == []


def test_an_annotation_makes_a_new_version(client: Any) -> None:
    first = predict(client, CHOICES)["model_version"]
    annotation = {"id": 5, "result": [], "was_cancelled": False, "task": 1}
    event = {
        "action": "ANNOTATION_CREATED",
        "project": {"id": 1, "label_config": CHOICES},
        "task": {"id": 1, "data": {"text": "a"}},
        "annotation": annotation,
    }
    assert client.post("/webhook", json=event).status_code in {200, 201}
    assert predict(client, CHOICES)["model_version"] != first
