"""What the checks say about predictions: alone, in a batch, after a click."""

from __future__ import annotations

import random
import time
from typing import Any

import pytest

from label_studio_ml.checks import predicting
from label_studio_ml.checks.report import Outcome
from label_studio_ml.model import LabelStudioMLBase
from label_studio_ml.wire.deadlines import Deadlines
from tests.support.checked_models import (
    Tasks,
    only_problem,
    outcomes,
    prediction,
    region,
    saying,
    try_out,
)


def test_a_task_that_makes_predict_raise_is_named_with_the_line_of_the_author() -> None:
    def answer(task: dict[str, Any]) -> Any:
        if task["id"] == 3:
            raise KeyError("txt")  # here
        return prediction()

    class Raising(LabelStudioMLBase):
        def predict(self, tasks: Tasks, context: Any = None, **kwargs: Any) -> Any:
            return [answer(task) for task in tasks]

    report = try_out(Raising)
    assert outcomes(report) | {"Predict": "failed", "Batch": "ok", "Batch = singles": "ok"} == outcomes(report)
    problem = only_problem(report)
    assert (problem.check, problem.task) == ("Predict", "3")
    assert problem.message == "task 3: predict() raised KeyError: 'txt'"
    assert problem.where.startswith("test_predicting.py, line ")
    assert problem.where.endswith('raise KeyError("txt")  # here')
    assert "in answer" in problem.detail
    assert "host.py" not in problem.detail, "our own frames are of no use to authors"
    assert report.check("Predict").summary.startswith("3 of 4 tasks")
    assert not report.is_ok()


def test_a_wrong_number_of_results_is_found_in_the_batch() -> None:
    class OneForAll(LabelStudioMLBase):
        def predict(self, tasks: Tasks, context: Any = None, **kwargs: Any) -> Any:
            return [prediction()]

    report = try_out(OneForAll)
    problem = only_problem(report)
    assert (problem.check, problem.message) == ("Batch", "predict() returned 1 results for 4 tasks.")
    assert report.check("Batch = singles").outcome is Outcome.SKIPPED


def test_two_results_for_one_task_are_found_at_once() -> None:
    class TwoForOne(LabelStudioMLBase):
        def predict(self, tasks: Tasks, context: Any = None, **kwargs: Any) -> Any:
            return [prediction(), prediction()]

    report = try_out(TwoForOne, count=1)
    assert outcomes(report) | {"Predict": "failed", "Batch": "skipped"} == outcomes(report)
    assert report.problems[0].message == "task 1: predict() returned 2 results for 1 tasks."
    assert "exactly one item per task" in report.problems[0].fix


def test_a_label_that_is_not_in_the_config_is_found_with_the_way_out() -> None:
    report = try_out(saying(lambda task: prediction("Great" if task["id"] % 2 else "Positive")))
    assert report.check("Valid").summary == "2 of 4 predictions are dropped"
    first, second = report.problems
    assert (first.check, first.task, second.task) == ("Valid", "1", "3")
    assert "Great" in first.message
    assert "build_label_map" in first.fix


@pytest.mark.parametrize(
    ("wrong", "fix"),
    [
        ({"from_name": "mood"}, "get_first_tag_occurence"),
        ({"to_name": "picture"}, "get_first_tag_occurence"),
        ({"type": "labels"}, "label_studio_ml.regions"),
        ({"value": {"labels": ["Positive"]}}, "label_studio_ml.regions"),
    ],
)
def test_a_region_that_does_not_fit_is_found(wrong: dict[str, Any], fix: str) -> None:
    report = try_out(saying(lambda _task: {"result": [{**region(), **wrong}]}), count=1)
    problem = only_problem(report)
    assert problem.check == "Valid"
    assert fix in problem.fix


@pytest.mark.parametrize("score", [1.5, -0.1, "high"])
def test_a_score_that_is_none_is_found(score: Any) -> None:
    problem = only_problem(try_out(saying(lambda _task: prediction(score=score)), count=1))
    assert (problem.check, problem.fix) == ("Valid", "`score` is a number from 0 to 1, or left out.")


def test_a_model_that_answers_differently_in_a_batch_is_warned_of() -> None:
    class Forgetful(LabelStudioMLBase):
        def predict(self, tasks: Tasks, context: Any = None, **kwargs: Any) -> Any:
            return [prediction(score=0.5 if number == 0 else 0.9) for number, _ in enumerate(tasks)]

    report = try_out(Forgetful)
    problem = only_problem(report)
    assert (problem.check, problem.task) == ("Batch = singles", "2")
    assert "score: 0.5 is not 0.9" in problem.message or "score: 0.9 is not 0.5" in problem.message
    assert report.is_ok()
    assert not report.is_ok(strict=True)


def test_rounding_and_fresh_ids_are_no_difference() -> None:
    class Rounding(LabelStudioMLBase):
        def predict(self, tasks: Tasks, context: Any = None, **kwargs: Any) -> Any:
            found = {**region(), "id": f"{random.random()}"}
            return [{"result": [found], "score": 0.5 + 1e-6 * len(tasks)} for _ in tasks]

    assert try_out(Rounding).check("Batch = singles").outcome is Outcome.OK


def test_a_model_that_guesses_is_not_compared() -> None:
    report = try_out(saying(lambda _task: prediction(score=random.random())))
    assert report.check("Batch = singles").outcome is Outcome.SKIPPED
    report.assert_ok(strict=True)


def test_a_model_that_takes_single_tasks_only_is_found() -> None:
    class Single(LabelStudioMLBase):
        def predict(self, tasks: Tasks, context: Any = None, **kwargs: Any) -> Any:
            (_task,) = tasks
            return [prediction()]

    problem = only_problem(try_out(Single))
    assert problem.check == "Batch"
    assert "one by one they work" in problem.message
    assert problem.where.endswith("(_task,) = tasks")


def test_a_click_that_makes_predict_raise_is_found() -> None:
    class Surprised(LabelStudioMLBase):
        def predict(self, tasks: Tasks, context: Any = None, **kwargs: Any) -> Any:
            if context:
                return context["result"][0]["value"]["x"]
            return [prediction() for _ in tasks]

    problem = only_problem(try_out(Surprised))
    assert problem.check == "Interactive"
    assert problem.message == "with a context (choices 'sentiment') predict() raised KeyError: 'x'"


def test_a_prediction_that_takes_too_long_is_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predicting, "DEADLINES", Deadlines(predict=0.01))

    def answer(_task: dict[str, Any]) -> Any:
        deadline = time.perf_counter() + 0.02
        while time.perf_counter() < deadline:
            pass
        return prediction()

    problem = only_problem(try_out(saying(answer), count=1))
    assert problem.check == "Predict"
    assert "Label Studio waits" in problem.message
