"""Calls the classifier as Label Studio does. Run with `python -m pytest test_api.py` in this folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sample_data
from model import TableClassifier

from label_studio_ml.testing import (
    Backend,
    backend_fixture,
    check_backend,
    connected,
    mean_score,
    samples_fixture,
    trained_fixture,
)

HERE = Path(__file__).parent
CONFIG = HERE / "label_config.xml"
HELD_OUT = sample_data.tasks(HERE)[60:]

untrained = backend_fixture(TableClassifier, CONFIG)
samples = samples_fixture(sample_data.tasks)
trained = trained_fixture(TableClassifier, CONFIG, learned=30)


def test_it_does_all_that_label_studio_needs() -> None:
    check_backend(TableClassifier, CONFIG).assert_ok()


def test_it_learns_the_species_of_penguins_it_has_never_seen(trained: Backend, untrained: Backend) -> None:
    assert mean_score(untrained, HELD_OUT, sample_data.score) == 0.0
    assert mean_score(trained, HELD_OUT, sample_data.score) >= 0.93


def test_a_batch_gives_what_singles_give(trained: Backend) -> None:
    tasks = [one["data"] for one in HELD_OUT[:5]]
    together = trained.predict(tasks)
    alone = [trained.predict([task])[0] for task in tasks]
    assert [one["result"][0]["value"] for one in together] == [one["result"][0]["value"] for one in alone]
    assert [one["score"] for one in together] == pytest.approx([one["score"] for one in alone])


def test_junk_costs_its_own_task_alone(trained: Backend) -> None:
    good = HELD_OUT[0]["data"]
    odd = {"measured": {"bill_length_mm": "long", "island": ["a", "b"], "unheard of": None}}
    junk = [{"measured": "a text"}, {"measured": [1, 2]}, {}, {"measured": None}]
    found = trained.predict([junk[0], good, odd, *junk[1:]])
    assert [bool(one) for one in found] == [False, True, True, False, False, False]


def test_other_names_and_choices() -> None:
    config = """
    <View>
      <Table name="order" value="$order"/>
      <Choices name="risk" toName="order"><Choice value="Ship"/><Choice value="Check first"/></Choices>
    </View>"""

    def order(euros: int, country: str, label: str = "Ship") -> tuple[dict[str, Any], list[dict[str, Any]]]:
        region = {"from_name": "risk", "to_name": "order", "type": "choices", "value": {"choices": [label]}}
        return {"order": {"euros": euros, "country": country}}, [region]

    with connected(TableClassifier, config) as backend:
        backend.learn(
            [order(10 + n, "FI") for n in range(6)] + [order(900 + n, "SE", "Check first") for n in range(6)]
        )
        found = backend.predict([order(14, "FI")[0], order(950, "SE")[0]])
    assert [one["result"][0]["value"]["choices"] for one in found] == [["Ship"], ["Check first"]]


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        (
            '<View><Text name="t" value="$t"/><Choices name="c" toName="t"><Choice value="a"/></Choices></View>',
            "TableClassifier needs Choices on Table",
        ),
        (CONFIG.read_text().replace('"single"', '"multiple"'), "this model needs choice"),
    ],
)
def test_a_config_that_it_cannot_serve_is_refused_in_one_sentence(config: str, reason: str) -> None:
    (problem,) = check_backend(TableClassifier, config).problems
    assert reason in problem.message
