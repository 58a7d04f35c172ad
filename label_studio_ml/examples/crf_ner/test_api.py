"""Calls the tagger as Label Studio does. Run with `python -m pytest test_api.py` in this folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sample_data
from model import CrfTagger

from label_studio_ml import regions
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
HELD_OUT = sample_data.tasks(HERE)[sample_data.FIRST :]

untrained = backend_fixture(CrfTagger, CONFIG)
samples = samples_fixture(sample_data.tasks)
trained = trained_fixture(CrfTagger, CONFIG, learned=sample_data.FIRST)


def spans(prediction: Any) -> list[tuple[str, str]]:
    return [(region["value"]["text"], region["value"]["labels"][0]) for region in prediction["result"]]


def test_it_does_all_that_label_studio_needs() -> None:
    check_backend(CrfTagger, CONFIG).assert_ok()


def test_before_training_it_knows_addresses(untrained: Backend) -> None:
    (found,) = untrained.predict([{"text": "5757 South Woodlawn Avenue, Chicago, IL 60637"}])
    assert spans(found) == [
        ("5757 South Woodlawn Avenue", "Street"),
        ("Chicago", "City"),
        ("IL", "State"),
        ("60637", "ZIP"),
    ]


def test_it_learns_to_read_notes_of_which_it_has_seen_neither_words_nor_sentences(
    trained: Backend, untrained: Backend
) -> None:
    before, after = (mean_score(one, HELD_OUT, sample_data.score) for one in (untrained, trained))
    assert after >= 0.9
    assert after >= before + 0.25


def test_a_batch_gives_what_singles_give(trained: Backend) -> None:
    tasks = [one["data"] for one in HELD_OUT[:8]]
    assert [spans(one) for one in trained.predict(tasks)] == [spans(trained.predict([task])[0]) for task in tasks]


def test_junk_costs_its_own_task_alone(trained: Backend) -> None:
    good = HELD_OUT[0]["data"]
    found = trained.predict(
        [{}, good, {"text": ""}, {"text": 7}, {"text": "\x00\u202e" * 5}, {"text": "x" * 200_000}]
    )
    assert [bool(one and one["result"]) for one in found][:4] == [False, True, False, False]


def test_labels_of_its_own_and_nothing_about_addresses() -> None:
    config = """
    <View><Text name="t" value="$line"/>
      <Labels name="what" toName="t"><Label value="Error"/><Label value="Host"/></Labels>
    </View>"""

    def line(host: str, error: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        text = f"{host} said {error} again"
        places = [("Host", 0, len(host)), ("Error", len(host) + 6, len(host) + 6 + len(error))]
        found = [regions.text_span("what", "t", label, text=text, start=a, end=b) for label, a, b in places]
        return {"line": text}, found

    with connected(CrfTagger, config) as backend:
        assert backend.predict([{"line": "web1 said E404 again"}]) == [[]], "it knows nothing yet"
        backend.learn([line(f"web{n}", f"E{400 + n}") for n in range(8)])
        (found,) = backend.predict([{"line": "db7 said E512 again"}])
    assert spans(found) == [("db7", "Host"), ("E512", "Error")]


def test_a_config_that_it_cannot_serve_is_refused_in_one_sentence() -> None:
    config = '<View><Text name="t" value="$t"/><Choices name="c" toName="t"><Choice value="a"/></Choices></View>'
    (problem,) = check_backend(CrfTagger, config).problems
    assert "CrfTagger needs Labels on Text" in problem.message
