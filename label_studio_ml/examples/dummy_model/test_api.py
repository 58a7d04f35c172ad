"""Calls the dummy model as Label Studio does. Run with `python -m pytest test_api.py` in this folder."""

from __future__ import annotations

import pytest
from dummy_model import DummyModel

from label_studio_ml.testing import check_backend, connected

CHOICES, BOXES = "text-classification", "object-detection"
STARS = '<View><Text name="text" value="$text"/><Rating name="stars" toName="text"/></View>'


@pytest.mark.parametrize("label_config", [CHOICES, BOXES, STARS])
def test_it_does_all_that_label_studio_needs(label_config: str) -> None:
    check_backend(DummyModel, label_config).assert_ok()


def test_a_choice_comes_from_the_labeling_config() -> None:
    with connected(DummyModel, CHOICES) as backend:
        (prediction,) = backend.predict(backend.sample_tasks(1))
    (region,) = prediction["result"]
    assert (region["from_name"], region["to_name"], region["type"]) == ("sentiment", "text", "choices")
    assert region["value"]["choices"][0] in {"Positive", "Negative", "Neutral"}
    assert 0 <= prediction["score"] <= 1


def test_a_box_comes_from_the_labeling_config() -> None:
    with connected(DummyModel, BOXES) as backend:
        (prediction,) = backend.predict(backend.sample_tasks(1))
    (region,) = prediction["result"]
    assert region["type"] == "rectanglelabels"
    assert region["value"]["rectanglelabels"][0] in {"Car", "Person"}


def test_a_control_it_does_not_know_stays_empty() -> None:
    with connected(DummyModel, STARS) as backend:
        (prediction,) = backend.predict([{"text": "a"}])
    assert prediction["result"] == []


def test_an_annotation_makes_a_new_version() -> None:
    with connected(DummyModel, CHOICES) as backend:
        first = backend.version
        backend.annotate({"text": "a"}, [])
        (prediction,) = backend.predict([{"text": "a"}])
        assert backend.version == prediction["model_version"] != first
