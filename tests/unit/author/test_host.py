"""What the class says about itself."""

from __future__ import annotations

from typing import Any

import pytest

from label_studio_ml.author.host import training_rules
from label_studio_ml.errors import SourceError
from label_studio_ml.model import LabelStudioMLBase


def ruled(**attributes: Any) -> type[LabelStudioMLBase]:
    return type("Ruled", (LabelStudioMLBase,), attributes)


def test_what_the_class_says_about_when_to_train_is_described() -> None:
    said = {"TRAIN_ON": "start", "TRAIN_EVERY": 5, "TRAIN_MIN_ANNOTATIONS": 0, "TRAIN_DEBOUNCE": 1}
    assert training_rules(ruled(**said)) == {name.lower(): value for name, value in said.items()}
    assert set(training_rules(LabelStudioMLBase).values()) == {None}


@pytest.mark.parametrize(
    ("name", "value", "what"),
    [
        ("TRAIN_ON", "sometimes", "`events`, `start` or `never`"),
        ("TRAIN_ON", True, "`events`, `start` or `never`"),
        ("TRAIN_EVERY", "5", "a whole number, 0 or more"),
        ("TRAIN_EVERY", -1, "a whole number, 0 or more"),
        ("TRAIN_EVERY", True, "a whole number, 0 or more"),
        ("TRAIN_MIN_ANNOTATIONS", 2.5, "a whole number, 0 or more"),
        ("TRAIN_DEBOUNCE", "2s", "a number of seconds, 0 or more"),
        ("TRAIN_DEBOUNCE", float("nan"), "a number of seconds, 0 or more"),
        ("TRAIN_DEBOUNCE", float("inf"), "a number of seconds, 0 or more"),
    ],
)
def test_an_attribute_that_makes_no_sense_is_named_instead_of_training_never(
    name: str, value: Any, what: str
) -> None:
    with pytest.raises(SourceError) as caught:
        training_rules(ruled(**{name: value}))
    assert str(caught.value) == f"{name} of Ruled must be {what}, not {value!r}."
