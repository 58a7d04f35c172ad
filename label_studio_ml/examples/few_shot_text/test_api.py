"""Calls the model as Label Studio does. Run with `python -m pytest test_api.py` in this folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sample_data
from model import FewShotText

from label_studio_ml.testing import (
    Backend,
    backend_fixture,
    check_backend,
    mean_score,
    samples_fixture,
    trained_fixture,
)

HERE = Path(__file__).parent
CONFIG = HERE / "label_config.xml"
LEARNED = 32
HELD_OUT = sample_data.tasks(HERE)[LEARNED:]
RANKING = """
<View>
  <Text name="question" value="$question"/>
  <List name="answers" value="$answers"/>
  <Ranker name="best" toName="answers"/>
</View>"""

PICTURES = '<View><Image name="i" value="$i"/><Rating name="r" toName="i"/></View>'

untrained = backend_fixture(FewShotText, CONFIG)
ranking = backend_fixture(FewShotText, RANKING)
samples = samples_fixture(sample_data.tasks)
trained = trained_fixture(FewShotText, CONFIG, learned=LEARNED)


@pytest.mark.parametrize("config", [CONFIG, RANKING])
def test_it_does_all_that_label_studio_needs(config: str | Path) -> None:
    check_backend(FewShotText, config).assert_ok()


def test_it_knows_something_at_first_and_learns_from_32_messages(trained: Backend, untrained: Backend) -> None:
    before, after = (mean_score(one, HELD_OUT, sample_data.score) for one in (untrained, trained))
    assert before >= 0.5
    assert after >= 0.75
    assert after > before


def test_a_batch_gives_what_singles_give(trained: Backend) -> None:
    tasks = [one["data"] for one in HELD_OUT[:6]]
    together, alone = trained.predict(tasks), [trained.predict([task])[0] for task in tasks]
    assert [one["result"][0]["value"] for one in together] == [one["result"][0]["value"] for one in alone]
    assert [one["score"] for one in together] == pytest.approx([one["score"] for one in alone], abs=1e-4)


def test_junk_costs_its_own_task_alone(trained: Backend) -> None:
    odd: list[Any] = ["", 7, "\x00\u202e" * 9, "word " * 50_000]
    found = trained.predict([{}, HELD_OUT[0]["data"], *({"text": text} for text in odd)])
    assert [bool(one) for one in found] == [False, True, False, False, True, True]


def test_a_list_is_ordered_by_a_question(ranking: Backend) -> None:
    answers = [
        {"id": "a", "title": "Opening hours", "body": "We are open from nine to five."},
        {"id": "b", "title": "Refunds", "body": "You get your money back within a week."},
        {"id": "c", "title": "Parking", "body": "There is a garage behind the house."},
    ]
    questions = ["Where can I leave my car?", "When does the shop close?"]
    tasks: list[dict[str, Any]] = [{"question": question, "answers": answers} for question in questions]
    car, time, none, broken = ranking.predict([*tasks, {"question": "?", "answers": []}, {"question": "?"}])
    assert car["result"][0]["value"]["ranker"]["best"][0] == "c"
    assert sorted(car["result"][0]["value"]["ranker"]["best"]) == ["a", "b", "c"]
    assert time["result"][0]["value"]["ranker"]["best"][0] == "a"
    assert not none
    assert not broken


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        (
            '<View><Image name="i" value="$i"/><Rating name="r" toName="i"/></View>',
            "FewShotText needs Choices on Text",
        ),
        (CONFIG.read_text().replace('"single"', '"multiple"'), "this model needs choice"),
        (RANKING.replace("Text ", "Header "), "ordered by a Text"),
    ],
)
def test_a_config_that_it_cannot_serve_is_refused_in_one_sentence(config: str, reason: str) -> None:
    (problem,) = check_backend(FewShotText, config).problems
    assert reason in problem.message
