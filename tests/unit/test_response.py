"""`ModelResponse` takes what authors return."""

from __future__ import annotations

import warnings

import pytest
import semver
from label_studio_sdk.label_interface.objects import PredictionValue
from pydantic import ValidationError

from label_studio_ml.response import ModelResponse


def test_dicts_prediction_values_and_lists_of_either_are_predictions() -> None:
    response = ModelResponse.model_validate(
        {"predictions": [PredictionValue(result=[]), {"result": [], "score": 0.5}, [{"result": []}], []]}
    )
    single, from_dict, several, none = response.predictions
    assert isinstance(single, PredictionValue)
    assert isinstance(from_dict, PredictionValue)
    assert from_dict.score == 0.5
    assert isinstance(several, list)
    assert isinstance(several[0], PredictionValue)
    assert none == []


def test_something_else_is_not_a_prediction() -> None:
    with pytest.raises(ValidationError):
        ModelResponse.model_validate({"predictions": ["positive"]})


def test_a_version_goes_only_to_predictions_that_have_none() -> None:
    named, unnamed = PredictionValue(result=[], model_version="mine"), PredictionValue(result=[])
    response = ModelResponse(predictions=[named, [unnamed]])
    assert not response.has_model_version()
    response.set_version("1.2.3")
    assert response.has_model_version()
    assert response.model_version == "1.2.3"
    assert (named.model_version, unnamed.model_version) == ("mine", "1.2.3")


def test_a_parsed_version_is_taken_as_text() -> None:
    response = ModelResponse.model_validate({"predictions": [], "model_version": semver.Version(1, 2, 3)})
    assert response.model_version == "1.2.3"


def test_the_field_model_version_gives_no_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        type(
            "Again",
            (ModelResponse,),
            {"__annotations__": {"model_version": "str | None"}, "model_version": None},
        )
