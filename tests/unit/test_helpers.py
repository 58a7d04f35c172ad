"""`label_studio_ml.helpers` serves classes written for generation 1."""

from __future__ import annotations

from typing import Any

import pytest

from label_studio_ml.helpers import LabelStudioMLBaseHelper, LabelStudioMLChoices

CONFIG = """
<View>
  <Text name="text" value="$review"/>
  <Choices name="mood" toName="text"><Choice value="Good"/><Choice value="Bad"/></Choices>
</View>
"""


class Mood(LabelStudioMLChoices):
    def predict2(self, X: Any, y: Any = None, **kwargs: Any) -> Any:
        return [["Good" if "good" in text else "Bad"] for text in X], [0.5 for _ in X]

    def fit2(self, X: Any, y: Any, **kwargs: Any) -> Any:
        return {"X": X, "y": y, "event": kwargs.get("event")}


def annotation(*choices: str, **more: Any) -> dict[str, Any]:
    return {"result": [{"from_name": "mood", "value": {"choices": list(choices)}}], **more}


def test_predictions_name_the_control_and_the_object() -> None:
    predictions = Mood(label_config=CONFIG).predict([{"data": {"review": "good"}}, {"data": {"review": "x"}}])
    assert predictions == [
        {
            "result": [{"from_name": "mood", "to_name": "text", "type": "choices", "value": {"choices": [choice]}}],
            "score": 0.5,
        }
        for choice in ("Good", "Bad")
    ]


def test_annotations_and_completions_both_count_and_skips_do_not() -> None:
    tasks = [
        {"data": {"review": "a"}, "annotations": [annotation("Good")]},
        {"data": {"review": "b"}, "completions": [annotation("Bad")]},
        {"data": {"review": "c"}, "annotations": [annotation("Bad", was_cancelled=True)]},
        {"data": {"review": "d"}, "annotations": [annotation("Bad", skipped=True), annotation("Good")]},
        {"data": {"review": "e"}, "annotations": [{"result": []}]},
        {"data": {"review": "f"}},
    ]
    output = Mood(label_config=CONFIG).fit(tasks, workdir="unused", event="ANNOTATION_CREATED")
    assert output == {"X": ["a", "b", "d"], "y": [["Good"], ["Bad"], ["Good"]], "event": "ANNOTATION_CREATED"}


@pytest.mark.parametrize(
    "config",
    [
        CONFIG.replace("Choices", "Labels").replace("Choice ", "Label "),
        CONFIG.replace("</View>", '<Rating name="stars" toName="text"/></View>'),
    ],
)
def test_another_label_config_is_refused(config: str) -> None:
    with pytest.raises(AssertionError, match="one <Choices> on one object"):
        Mood(label_config=config)


def test_a_helper_leaves_four_methods_to_its_author() -> None:
    helper = LabelStudioMLBaseHelper()
    for call in (
        lambda: helper.prepare_tasks([]),
        lambda: helper.convert_predictions([]),
        lambda: helper.predict2([]),
        lambda: helper.fit2([], []),
    ):
        with pytest.raises(NotImplementedError):
            call()
