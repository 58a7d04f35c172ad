from __future__ import annotations

from typing import Any

import pytest
from label_studio_sdk.label_interface import LabelInterface

from label_studio_ml.errors import PredictError
from label_studio_ml.protocol import validation

CONFIG = """
<View>
  <Text name="text" value="$text"/>
  <Choices name="mood" toName="text"><Choice value="Good"/><Choice value="Bad"/></Choices>
</View>
"""


@pytest.fixture(scope="module")
def interface() -> validation.Interface:
    made: validation.Interface = LabelInterface(CONFIG)
    return made


def prediction(**changes: Any) -> dict[str, Any]:
    region = {"from_name": "mood", "to_name": "text", "type": "choices", "value": {"choices": ["Good"]}, **changes}
    return {"result": [region], "score": 0.5, "model_version": "1"}


def test_a_fitting_prediction_passes(interface: validation.Interface) -> None:
    validation.check(interface, [prediction(), prediction(value={"choices": ["Bad"]}), {"result": []}])


def test_without_a_config_everything_passes() -> None:
    validation.check(None, [{"result": "nonsense"}])


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"from_name": "modo"}, "modo"),
        ({"to_name": "image"}, "image"),
        ({"type": "labels"}, "labels"),
        ({"value": {"choices": ["Ugly"]}}, "Ugly"),
    ],
)
def test_a_region_that_does_not_fit_is_named(
    interface: validation.Interface, changes: dict[str, Any], named: str
) -> None:
    with pytest.raises(PredictError, match="does not fit the labeling config") as caught:
        validation.check(interface, [prediction(), prediction(**changes)])
    assert named in str(caught.value)


def test_several_faults_are_told_as_one_and_a_number(interface: validation.Interface) -> None:
    wrong = prediction(from_name="modo")
    wrong["result"] += prediction(from_name="domo")["result"]
    wrong["score"] = "high"
    with pytest.raises(PredictError, match=r"\(and \d+ more\)$"):
        validation.check(interface, [wrong])
