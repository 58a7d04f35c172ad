"""What the checks say about values that JSON does not have."""

from __future__ import annotations

from typing import Any

import numpy
import pytest

from label_studio_ml.checks import configs
from tests.support.checked_models import (
    only_problem,
    prediction,
    saying,
    try_out,
)


def test_numpy_values_are_converted_and_said_to_be() -> None:
    def answer(_task: dict[str, Any]) -> Any:
        box = dict(
            zip(("x", "y", "width", "height"), numpy.array([1, 2, 30, 40], dtype=numpy.float32), strict=True)
        )
        value = {**box, "rectanglelabels": numpy.array(["Car"])}
        found = {"from_name": "box", "to_name": "image", "type": "rectanglelabels", "value": value}
        return {"result": [found], "score": numpy.float64(0.25)}

    report = try_out(saying(answer), configs.template("object-detection"))
    report.assert_ok(strict=True)
    assert report.check("JSON").summary == "float32, float64, ndarray converted"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), numpy.float32("nan")])
def test_numbers_that_json_cannot_express_are_found(value: Any) -> None:
    report = try_out(saying(lambda _task: prediction(uncertainty=value)), count=1)
    problem = only_problem(report)
    assert (problem.check, problem.task) == ("JSON", "1")
    assert "which JSON cannot express" in problem.message
    assert not try_out(saying(lambda _task: prediction(score=value)), count=1).is_ok()


def test_what_has_no_json_form_is_found() -> None:
    problem = only_problem(try_out(saying(lambda _task: prediction(model=object())), count=1))
    assert problem.check == "JSON"
    assert "object cannot be written as JSON" in problem.message
