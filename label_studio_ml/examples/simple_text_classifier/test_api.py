"""Calls the text classifier as Label Studio does. Run with `python -m pytest test_api.py` in this folder."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from text_classifier import SimpleTextClassifier

from label_studio_ml.api import init_app

HERE = Path(__file__).parent
PROJECT = "1.1700000000"
SINGLE = (HERE / "label_config.xml").read_text()
MULTIPLE = """
<View>
  <Text name="text" value="$text"/>
  <Choices name="topic" toName="text" choice="multiple">
    <Choice value="Food"/><Choice value="Service"/><Choice value="Price"/>
  </Choices>
</View>
"""
REVIEWS = json.loads((HERE / "sample_reviews.json").read_text())
TRAIN, HELD_OUT = REVIEWS[:-12], REVIEWS[-12:]
ABOUT = {
    "Food": ["the soup was tasty", "tasty bread and soup", "the fish was salty", "salty soup, tasty fish"],
    "Service": ["the waiter was kind", "a rude waiter", "kind staff", "rude staff and a slow waiter"],
    "Price": ["far too expensive", "cheap and good", "an expensive evening", "so cheap, so good"],
}


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in (
        "LABEL_STUDIO_URL",
        "LABEL_STUDIO_HOST",
        "LABEL_STUDIO_API_KEY",
        "LABEL_STUDIO_ACCESS_TOKEN",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MODEL_DIR", str(tmp_path))
    with init_app(model_class=SimpleTextClassifier).test_client() as client:
        yield client


def predict(client: Any, label_config: str, texts: list[str]) -> list[Any]:
    tasks = [{"id": number, "data": {"text": text}} for number, text in enumerate(texts, 1000)]
    request = {"project": PROJECT, "label_config": label_config, "tasks": tasks, "params": {"context": None}}
    response = client.post("/predict", json=request)
    assert response.status_code == 200
    results: list[Any] = response.json["results"]
    return results


def choices(prediction: Any) -> list[str]:
    found: list[str] = prediction["result"][0]["value"]["choices"]
    return found


def annotate(
    client: Any, label_config: str, number: int, text: str, chosen: list[str], *, skipped: bool = False
) -> None:
    """Send what Label Studio sends when an annotator submits or skips a task."""
    name = "sentiment" if "sentiment" in label_config else "topic"
    region = {"from_name": name, "to_name": "text", "type": "choices", "value": {"choices": chosen}}
    event = {
        "action": "ANNOTATION_CREATED",
        "project": {"id": 1, "label_config": label_config},
        "task": {"id": number, "data": {"text": text}},
        "annotation": {
            "id": number,
            "task": number,
            "project": 1,
            "was_cancelled": skipped,
            "result": [] if skipped else [region],
        },
    }
    assert client.post("/webhook", json=event).status_code in {200, 201}


def setup(client: Any, label_config: str) -> str:
    response = client.post("/setup", json={"project": PROJECT, "schema": label_config})
    version: str = response.json["model_version"]
    return version


def test_before_training_it_guesses_from_the_names_of_the_choices(client: Any) -> None:
    setup(client, SINGLE)
    named, unknown, empty = predict(client, SINGLE, ["a negative surprise", "xyz", ""])
    assert choices(named) == ["Negative"]
    assert unknown["score"] == pytest.approx(0.5)
    assert empty == []


def test_it_learns_from_annotations(client: Any) -> None:
    first = setup(client, SINGLE)
    texts = [review["data"]["text"] for review in HELD_OUT]
    before = predict(client, SINGLE, texts)
    for number, review in enumerate(TRAIN):
        annotate(client, SINGLE, number, review["data"]["text"], [review["meta"]["sentiment"]])
    after = predict(client, SINGLE, texts)
    assert setup(client, SINGLE) == after[0]["model_version"] != first == before[0]["model_version"]
    right = [choices(found) == [review["meta"]["sentiment"]] for found, review in zip(after, HELD_OUT, strict=True)]
    assert sum(right) >= 11
    assert all(found["score"] > 0.5 for found in after)


def test_skipped_tasks_and_a_single_choice_teach_nothing(client: Any) -> None:
    first = setup(client, SINGLE)
    annotate(client, SINGLE, 1, "good", ["Positive"])
    annotate(client, SINGLE, 2, "bad", ["Negative"], skipped=True)
    annotate(client, SINGLE, 3, "", ["Negative"])
    assert setup(client, SINGLE) == first


def test_multiple_choices_are_predicted_together(client: Any) -> None:
    setup(client, MULTIPLE)
    number = 0
    for topic, texts in ABOUT.items():
        for text in texts:
            number += 1
            annotate(client, MULTIPLE, number, text, [topic])
    for text in ("tasty soup, rude waiter", "salty fish, kind staff", "the soup was tasty, the waiter kind"):
        number += 1
        annotate(client, MULTIPLE, number, text, ["Food", "Service"])
    both, one = predict(client, MULTIPLE, ["tasty fish and a rude waiter", "cheap, cheap, cheap"])
    assert choices(both) == ["Food", "Service"]
    assert choices(one) == ["Price"]
