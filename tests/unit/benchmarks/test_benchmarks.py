"""What the benchmarks make of what they measured. The measuring itself needs no test: it checks every reply."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from benchmarks import chart, payloads, report
from benchmarks.models import work
from benchmarks.results import Bench, Finding, Result, number


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (0.0894, "0.0894"), (2.406, "2.41"), (13.84, "13.8"), (4331.4, "4 331"), (204_871.0, "204 900")],
)
def test_a_number_has_as_many_digits_as_one_reads(value: float, text: str) -> None:
    assert number(value) == text


def test_a_ratio_compares_within_rounds() -> None:
    result = Result("x", "")
    for ours, other in ((10, 5), (100, 50), (30, 10)):  # the machine was quicker in the second round, for both
        result.add("ours", "rate", "/s", ours)
        result.add("other", "rate", "/s", other)
    assert result.ratio("ours", "other", "rate") == 2
    assert result.ratio("ours", "nobody", "rate") is None


@pytest.mark.parametrize(
    ("finding", "reached"),
    [
        (Finding("", 0.6, " times", at_least=0.6), True),
        (Finding("", 0.59, " times", at_least=0.6), False),
        (Finding("", 0.4, " ms", at_most=0.4), True),
        (Finding("", 1, at_most=0), False),
        (Finding("", 1), None),
    ],
)
def test_an_aim_is_reached_or_not(finding: Finding, reached: bool | None) -> None:
    assert finding.reached is reached


@pytest.mark.parametrize("form", ["label studio", "list", "v2"])
def test_replies_are_read_in_the_form_of_each_contender(form: str) -> None:
    tasks = [payloads.task("trivial", number) for number in range(3)]
    found = work.load("trivial")(tasks)
    reply = {
        "label studio": {"results": found},
        "list": found,
        "v2": {"outputs": [{"data": [json.dumps(one) for one in found]}]},
    }[form]
    assert payloads.answered(json.dumps(reply).encode()) == [payloads.label("trivial", task) for task in tasks]


def test_a_task_without_a_prediction_shows() -> None:
    assert payloads.answered(b'{"results": [[], {"result": []}]}') == ["", ""]


def test_the_text_model_knows_every_sentence_that_the_load_sends() -> None:
    tasks = [payloads.task("tfidf", payloads.FIRST + number) for number in range(512)]
    found = payloads.answered(json.dumps(work.load("tfidf")(tasks)).encode())
    assert found == [payloads.label("tfidf", task) for task in tasks]


def test_results_name_the_contender_that_could_not_be_measured() -> None:
    result = Result("trivial", "One task", notes=["MLServer could not be measured: cannot be installed"])
    result.add("ours", "requests a second", "/s", 100)
    text = report.markdown([result], Bench(5, 3, peers=False, say=print))
    assert "MLServer could not be measured" in text
    assert "| ours: requests a second | 100/s | 100 \N{EN DASH} 100 |" in text


@pytest.mark.parametrize("cases", [[], ["trivial"], ["trivial", "tfidf", "cnn"]])
def test_a_chart_is_drawn_of_whatever_was_measured(tmp_path: Path, cases: list[str]) -> None:
    results = []
    for case in cases:
        results.append(Result(case, "", findings=[Finding("ours against other", 2, " times", at_least=1)]))
        for contender, rate in (("ours", 200.0), ("bare ASGI function", 300.0), ("LitServe", 100.0)):
            results[-1].add(contender, "requests a second", "/s", rate)
    chart.draw(results, tmp_path / "results.png")
    with Image.open(tmp_path / "results.png") as picture:
        assert picture.width > 1000
