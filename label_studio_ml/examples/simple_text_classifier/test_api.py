"""Calls the text classifier as Label Studio does. Run with `python -m pytest test_api.py` in this folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from text_classifier import SimpleTextClassifier

from label_studio_ml.testing import Backend, backend_fixture, check_backend

HERE = Path(__file__).parent
SINGLE = HERE / "label_config.xml"
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

single = backend_fixture(SimpleTextClassifier, SINGLE)
multiple = backend_fixture(SimpleTextClassifier, MULTIPLE)


def choices(prediction: Any) -> list[str]:
    found: list[str] = prediction["result"][0]["value"]["choices"]
    return found


def annotate(backend: Backend, text: str, chosen: list[str]) -> None:
    name = "sentiment" if "sentiment" in backend.label_config else "topic"
    region = {"from_name": name, "to_name": "text", "type": "choices", "value": {"choices": chosen}}
    backend.annotate({"text": text}, [region])


@pytest.mark.parametrize("label_config", [SINGLE, MULTIPLE])
def test_it_does_all_that_label_studio_needs(label_config: str | Path) -> None:
    report = check_backend(SimpleTextClassifier, label_config)
    report.assert_ok(strict=True)
    assert report.check("New version").outcome == "ok"


def test_before_training_it_guesses_from_the_names_of_the_choices(single: Backend) -> None:
    named, unknown, empty = single.predict([{"text": text} for text in ("a negative surprise", "xyz", "")])
    assert choices(named) == ["Negative"]
    assert unknown["score"] == pytest.approx(0.5)
    assert empty == []


def test_it_learns_from_annotations(single: Backend) -> None:
    first = single.version
    tasks = [review["data"] for review in HELD_OUT]
    before = single.predict(tasks)
    for review in TRAIN:
        annotate(single, review["data"]["text"], [review["meta"]["sentiment"]])
    after = single.predict(tasks)
    assert single.version == after[0]["model_version"] != first == before[0]["model_version"]
    right = [choices(found) == [review["meta"]["sentiment"]] for found, review in zip(after, HELD_OUT, strict=True)]
    assert sum(right) >= 11
    assert all(found["score"] > 0.5 for found in after)


def test_skipped_tasks_and_a_single_choice_teach_nothing(single: Backend) -> None:
    first = single.version
    annotate(single, "good", ["Positive"])
    single.annotate({"text": "bad"}, [], skipped=True)
    annotate(single, "", ["Negative"])
    assert single.version == first


def test_multiple_choices_are_predicted_together(multiple: Backend) -> None:
    for topic, texts in ABOUT.items():
        for text in texts:
            annotate(multiple, text, [topic])
    for text in ("tasty soup, rude waiter", "salty fish, kind staff", "the soup was tasty, the waiter kind"):
        annotate(multiple, text, ["Food", "Service"])
    both, one = multiple.predict([{"text": "tasty fish and a rude waiter"}, {"text": "cheap, cheap, cheap"}])
    assert choices(both) == ["Food", "Service"]
    assert choices(one) == ["Price"]
