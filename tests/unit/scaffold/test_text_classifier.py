"""The text classifier example without a server; its own test_api.py goes through one."""

from __future__ import annotations

import importlib.util
import json
import logging
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import label_studio_ml

EXAMPLE = Path(label_studio_ml.__file__).parent / "examples" / "simple_text_classifier"
SINGLE = (EXAMPLE / "label_config.xml").read_text()
MULTIPLE = SINGLE.replace('choice="single"', 'choice="multiple"').replace(
    '<Choice value="Negative"/>', '<Choice value="Negative"/><Choice value="Long"/>'
)
Task = dict[str, Any]


@pytest.fixture
def example() -> Iterator[ModuleType]:
    pytest.importorskip("sklearn")
    spec = importlib.util.spec_from_file_location("text_classifier", EXAMPLE / "text_classifier.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def annotated(text: str, *choices: str, **annotation: Any) -> Task:
    region = {"from_name": "sentiment", "value": {"choices": list(choices)}}
    return {"data": {"text": text}, "annotations": [{"result": [region], **annotation}]}


def reviews() -> list[Task]:
    found: list[Task] = json.loads((EXAMPLE / "sample_reviews.json").read_text())
    return found


def predicted(model: Any, text: str) -> list[str]:
    choices: list[str] = model.predict([{"data": {"text": text}}])[0]["result"][0]["value"]["choices"]
    return choices


def test_the_sample_reviews_are_import_tasks_with_a_known_answer() -> None:
    answers = Counter(review["meta"]["sentiment"] for review in reviews())
    assert answers == {"Positive": 36, "Negative": 36}
    assert len({review["data"]["text"] for review in reviews()}) == 72


def test_before_training_the_names_of_the_choices_are_all_there_is(example: ModuleType) -> None:
    guess = example.guess("a positive surprise", ["Positive", "Negative"])
    assert guess["Positive"] > guess["Negative"] > 0
    assert sum(guess.values()) == pytest.approx(1)
    assert example.guess("xyz", ["Positive", "Negative"]) == {"Positive": 0.5, "Negative": 0.5}


def test_a_training_is_saved_and_loaded_again(example: ModuleType, tmp_path: Path) -> None:
    tasks = [annotated(review["data"]["text"], review["meta"]["sentiment"]) for review in reviews()[:40]]
    output = example.SimpleTextClassifier(label_config=SINGLE).fit(tasks, workdir=str(tmp_path))
    assert json.loads(json.dumps(output)) == output
    assert output["labels"] == ["Negative", "Positive"]
    assert output["examples"] == 40
    assert output["accuracy"] > 0.8
    trained = example.SimpleTextClassifier(label_config=SINGLE, train_output=output)
    right = [predicted(trained, item["data"]["text"]) == [item["meta"]["sentiment"]] for item in reviews()[40:]]
    assert sum(right) >= 30


def test_what_teaches_nothing_is_left_out(example: ModuleType) -> None:
    model = example.SimpleTextClassifier(label_config=SINGLE)
    tasks = [
        annotated("good", "Positive"),
        annotated("skipped", "Negative", was_cancelled=True),
        annotated("", "Negative"),
        annotated("an old choice", "Neutral"),
        {"data": {"text": "empty"}, "annotations": [{"result": []}]},
        {"data": {"text": "other control"}, "annotations": [{"result": [{"from_name": "other", "value": {}}]}]},
    ]
    assert list(model.examples(tasks)) == [("good", ["Positive"])]


def test_one_choice_is_not_enough_to_train(
    example: ModuleType, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    model = example.SimpleTextClassifier(label_config=SINGLE)
    assert model.fit([annotated("good", "Positive")], workdir=str(tmp_path)) is None
    assert "Not training yet: 1 examples, all of the choices ['Positive']" in caplog.text


def test_multiple_choices_are_learned_together(example: ModuleType, tmp_path: Path) -> None:
    tasks = [
        annotated("good", "Positive"),
        annotated("so good", "Positive"),
        annotated("bad", "Negative"),
        annotated("so bad", "Negative"),
        annotated("good and long enough", "Positive", "Long"),
        annotated("bad and long enough", "Negative", "Long"),
    ]
    output = example.SimpleTextClassifier(label_config=MULTIPLE).fit(tasks, workdir=str(tmp_path))
    trained = example.SimpleTextClassifier(label_config=MULTIPLE, train_output=output)
    assert predicted(trained, "good and long enough") == ["Positive", "Long"]
    assert predicted(trained, "bad") == ["Negative"]


def test_choices_that_left_the_config_are_not_predicted(example: ModuleType, tmp_path: Path) -> None:
    tasks = [annotated("good", "Positive"), annotated("bad", "Negative")]
    output = example.SimpleTextClassifier(label_config=SINGLE).fit(tasks, workdir=str(tmp_path))
    changed = SINGLE.replace('"Negative"', '"Poor"')
    model = example.SimpleTextClassifier(label_config=changed, train_output=output)
    assert predicted(model, "bad") == ["Positive"]
    guessing = example.SimpleTextClassifier(label_config=MULTIPLE, train_output=output)
    assert guessing.pipeline is None
