"""A project to annotate: its labeling config, what an annotator picks, what a prediction says."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from scripts.label_studio import Json
from scripts.processes import wait_until
from tests.support.paths import BACKENDS

KEYWORDS = BACKENDS / "keywords.py"


def label_config(*labels: str) -> str:
    choices = "".join(f'<Choice value="{label}"/>' for label in labels)
    return (
        '<View><Text name="text" value="$text"/>'
        f'<Choices name="sentiment" toName="text" choice="single">{choices}</Choices>'
        '<TextArea name="seen" toName="text"/></View>'
    )


def choice(label: str) -> Json:
    """The region that picking a label makes."""
    where = {"id": "r1", "from_name": "sentiment", "to_name": "text", "type": "choices"}
    return {**where, "value": {"choices": [label]}}


def value_of(prediction: Json, control: str) -> Any:
    """The first value that a prediction gives to a control."""
    region = next(region for region in prediction["result"] if region["from_name"] == control)
    return next(iter(region["value"].values()))[0]


def settles_at(read: Callable[[], object], expected: object, timeout: float = 60) -> bool:
    """Whether a value becomes what is expected in time; otherwise the assertion shows what it was instead."""
    with contextlib.suppress(TimeoutError):
        wait_until(lambda: read() == expected, timeout, "a value")
    actual = read()
    assert actual == expected
    return True
