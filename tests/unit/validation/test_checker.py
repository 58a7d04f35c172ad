"""What a person reads about a prediction that does not fit, and what is let through."""

from __future__ import annotations

import math
from typing import Any

import pytest
from label_studio_sdk.label_interface import LabelInterface

from label_studio_ml.errors import InvalidPrediction
from label_studio_ml.processes.messages import REASONS
from label_studio_ml.validation.checker import Checker
from tests.support.region_samples import CONFIG, SAMPLES, relation, sample, split

CHECKER = Checker(LabelInterface(CONFIG))


def refused(*regions: Any, checker: Checker = CHECKER, **more: Any) -> InvalidPrediction:
    """Why a prediction of these regions is refused."""
    with pytest.raises(InvalidPrediction) as caught:
        checker.check([{"result": list(regions), **more}])
    assert caught.value.reason in REASONS
    return caught.value


def value(control: str, **changes: Any) -> dict[str, Any]:
    """A region that fits, with some keys of its value changed; None takes them away."""
    region = sample(control)
    changed = {key: item for key, item in (region["value"] | changes).items() if item is not None}
    return region | {"value": changed}


# --- let through ------------------------------------------------------------------------------------------------

FITTING: dict[str, list[dict[str, Any]]] = {
    "nothing": [],
    "a region of every tag": [sample(control) for control in SAMPLES],
    "labels of a rectangle with the rectangle": split(),
    "labels of a rectangle before it": split()[::-1],
    "labels of a rectangle in one region with it": [
        sample(
            "plain",
            from_name="tags",
            type="rectanglelabels",
            value={**SAMPLES["plain"][2], "rectanglelabels": ["Cat"]},
        ),
        sample("plain", id="plain-2"),
    ],
    "a text for a region, under the id of the region": [sample("box"), sample("caption", id="box-1")],
    "no id": [{key: item for key, item in sample("ner").items() if key != "id"}],
    "a relation": [sample("box"), sample("plain"), relation(labels=["left of"])],
    "a relation before its regions": [relation(), sample("box"), sample("plain")],
    "no labels": [value("box", rectanglelabels=[])],
    "numbers as text, which the SDK reads": [value("box", x="12.5")],
    "a box at the very edge": [value("box", x=0, y=0, width=100, height=100)],
    "what rounding leaves below zero": [value("box", x=-1e-14)],
    "a box turned to the left": [value("box", rotation=-30)],
    "a span of no length": [value("sounds", start=2.0, end=2.0)],
    "paragraphs by number as text": [value("turns", start="9", end="10")],
    "times as text": [value("runs", start="31122023", end="01012024")],
    "a vector outside of the image, as the SDK allows": [value("line", vertices=[{"x": -10.0, "y": 140.0}])],
    "tuples, which JSON makes lists of": [
        value("kinds", taxonomy=(("Animal", "Cat"),)),
        value("outline", points=((1, 2), (3, 4), (5, 6))),
    ],
    "keys of the author's own": [sample("mood", note={"by": "me"}, hidden=None)],
    "a value below the control's name, as the SDK allows": [sample("mood", value={"mood": {"choices": ["Good"]}})],
}


@pytest.mark.parametrize("result", FITTING.values(), ids=FITTING)
def test_what_label_studio_takes_and_shows_passes(result: list[dict[str, Any]]) -> None:
    CHECKER.check([{"result": result, "score": 0.5, "model_version": "1"}, {"result": result}])


def test_a_tuple_of_regions_is_a_list_in_json() -> None:
    CHECKER.check([{"result": (sample("mood"),)}])


@pytest.mark.parametrize("score", [None, 0, 1, 0.5, 1.0])
def test_scores_from_0_to_1_pass(score: Any) -> None:
    CHECKER.check([{"result": [], "score": score}])


# --- refused ----------------------------------------------------------------------------------------------------

REFUSED: dict[str, tuple[Any, str, str, list[str]]] = {
    # what: (region, reason, control, what the message must say)
    "a control that does not exist": (
        sample("mood", from_name="modo"),
        "control",
        "modo",
        ["result[0]", "`modo`", "`mood` (Choices)", "nearest is `mood`"],
    ),
    "no control": (sample("mood", from_name=None), "control", "", ["None", "`mood` (Choices)"]),
    "a control of another kind of name": (sample("mood", from_name=["mood"]), "control", "", ["a list"]),
    "an object the control is not on": (
        sample("mood", to_name="image"),
        "object",
        "mood",
        ["`mood` (Choices)", "`image`", "it is on `text`"],
    ),
    "no object": (sample("mood", to_name=None), "object", "mood", ["None", "`text`"]),
    "a type of another tag": (sample("mood", type="labels"), "type", "mood", ["`labels`", "takes `choices`"]),
    "a type as the tag is written": (sample("mood", type="Choices"), "type", "mood", ["`Choices`", "`choices`"]),
    "no type": (sample("mood", type=None), "type", "mood", ["None", "`choices`"]),
    "a region without keys": (
        {"from_name": "mood", "value": {"choices": ["Good"]}},
        "keys",
        "mood",
        ["`to_name` and `type`", "`from_name`, `to_name`, `type` and `value`"],
    ),
    "a value without keys": (
        value("box", x=None, height=None),
        "keys",
        "box",
        ["lacks `x` and `height`", "`x`, `y`, `width`, `height` and `rectanglelabels`"],
    ),
    "a value without labels": (value("box", rectanglelabels=None), "keys", "box", ["lacks `rectanglelabels`"]),
    "labels without their rectangle": (split()[1], "keys", "tags", ["lacks `start` and `end`"]),
    "labels of a rectangle that lack its sides": (None, "keys", "tags", ["lacks `width`"]),
    "a label of another case": (
        value("box", rectanglelabels=["airplane"]),
        "label",
        "box",
        ["`airplane`", "allows `Car` and `Airplane`", "nearest is `Airplane`"],
    ),
    "a label that is not in the config": (value("mood", choices=["Good", "Goood"]), "label", "mood", ["`Goood`"]),
    "a label by its value where it has an alias": (value("mood", choices=["Bad"]), "label", "mood", ["`bad`"]),
    "a step of a taxonomy": (value("kinds", taxonomy=[["Animal", "Dog"]]), "label", "kinds", ["`Dog`", "`Cat`"]),
    "pixels": (value("box", x=640), "percentage", "box", ["640", "`x`", "0 to 100", "divide pixels"]),
    "a negative percentage": (value("box", width=-3.5), "percentage", "box", ["-3.5", "`width`"]),
    "a negative percentage as text": (value("box", width="-3.5"), "percentage", "box", ["-3.5", "`width`"]),
    "a corner outside": (value("outline", points=[[1, 2], [3, -4]]), "percentage", "outline", ["points.1.1"]),
    "a radius beyond half": (value("oval", radiusX=51), "percentage", "oval", ["51", "`radiusX`", "0 to 50"]),
    "a frame outside": (
        value("track", sequence=[{**SAMPLES["plain"][2], "frame": 1, "time": 0.1, "y": -1}]),
        "percentage",
        "track",
        ["sequence.0.y"],
    ),
    "a span that ends before it starts": (value("ner", end=2), "span", "ner", ["`start` is 3", "`end` is 2"]),
    "seconds the wrong way round": (value("sounds", start=1.5, end=1.25), "span", "sounds", ["1.5", "1.25"]),
    "paragraphs the wrong way round": (value("turns", start="10", end="9"), "span", "turns", ["`10`", "`9`"]),
    "offsets the wrong way round": (value("marks", endOffset=1), "span", "marks", ["`startOffset` is 2", "is 1"]),
    "a range the wrong way round": (
        value("scenes", ranges=[{"start": 1, "end": 2}, {"start": 5, "end": 4}]),
        "span",
        "scenes",
        ["`start` is 5", "`end` is 4"],
    ),
    "not a number": (value("box", x=math.nan), "number", "box", ["nan", "`value.x`"]),
    "infinite": (value("count", number=math.inf), "number", "count", ["inf", "`value.number`"]),
    "a score of a region that is no number": (sample("box", score=math.nan), "number", "box", ["`score`"]),
    "infinite in what nobody looks at": (sample("mood", meta={"a": [1, -math.inf]}), "number", "mood", ["meta"]),
    "text where a list is needed": (value("caption", text="a car"), "value", "caption", ["`a car`", "valid list"]),
    "a word where a number is needed": (value("box", x="left"), "value", "box", ["`left`", "`x`", "number"]),
    "more stars than there are": (value("stars", rating=8), "value", "stars", ["(Rating)", "8", "from 0 to 7"]),
    "a value that is no dict": (sample("mood", value="Good"), "value", "mood", ["`Good`", "dict"]),
    "a mask of no bytes": (value("mask", rle=[0, 256]), "value", "mask", ["rle"]),
    "a value that hides another one": (value("mood", mood={"choices": ["Ugly"]}), "label", "mood", ["`Ugly`"]),
    "text for a region": ("Good", "shape", "", ["`Good`", "dict"]),
}  # fmt: skip


@pytest.mark.parametrize(("region", "reason", "control", "words"), REFUSED.values(), ids=REFUSED)
def test_a_region_that_does_not_fit_is_told_in_full(
    region: Any, reason: str, control: str, words: list[str]
) -> None:
    if region is None:
        rectangle, label = split()
        del label["value"]["width"]
        fault = refused(rectangle, label)
    else:
        fault = refused(region)
    message = str(fault)
    assert (fault.reason, fault.control) == (reason, control), message
    assert message.startswith("the prediction does not fit the labeling config: result[")
    assert message.endswith(".")
    assert message.count(". ") == 0, "one sentence"
    for word in words:
        assert word in message


def test_none_is_not_the_only_control_though_the_sdk_thinks_so() -> None:
    config = '<View><Text name="text" value="$text"/><Rating name="stars" toName="text" maxRating="7"/></View>'
    interface = LabelInterface(config)
    region = sample("stars", from_name=None)
    assert interface.validate_prediction({"result": [region]})
    assert refused(region, checker=Checker(interface)).reason == "control"


RELATIONS: dict[str, tuple[dict[str, Any], str]] = {
    "without a direction": ({"type": "relation", "from_id": "box-1", "to_id": "plain-1"}, "lacks `direction`"),
    "in no direction": (relation(direction="up"), "`up`"),
    "to a region that is not there": (relation(to_id="nowhere"), "`to_id` is `nowhere`"),
    "from a list": (relation(from_id=["box-1"]), "`from_id` is a list"),
}


@pytest.mark.parametrize(("wrong", "words"), RELATIONS.values(), ids=RELATIONS)
def test_a_relation_that_leads_nowhere_is_told(wrong: dict[str, Any], words: str) -> None:
    fault = refused(sample("box"), sample("plain"), wrong)
    assert fault.reason == "relation"
    assert "result[2]" in str(fault)
    assert words in str(fault)


def test_infinity_in_a_relation_is_refused() -> None:
    assert refused(sample("box"), sample("plain"), relation(weight=math.inf)).reason == "number"


@pytest.mark.parametrize("score", [1.5, -0.1, math.nan, math.inf, True, "0.5", [0.5]])
def test_a_score_that_is_no_number_from_0_to_1_is_refused(score: Any) -> None:
    fault = refused(score=score)
    assert fault.reason == "score"
    assert "`score`" in str(fault)


@pytest.mark.parametrize("result", [None, "Good", {"choices": ["Good"]}, 3])
def test_a_result_that_is_no_list_is_refused(result: Any) -> None:
    with pytest.raises(InvalidPrediction, match="`result` must be a list") as caught:
        CHECKER.check([{"result": result}])
    assert caught.value.reason == "shape"


def test_the_first_of_several_faults_is_told_and_how_many_more_there_are() -> None:
    fault = refused(sample("box"), value("box", x=300), sample("mood", from_name="modo"), "nothing")
    assert (fault.reason, fault.control) == ("percentage", "box")
    assert "result[1]" in str(fault)
    assert str(fault).endswith(" (2 more do not fit).")


def test_of_a_thousand_labels_a_few_are_listed_and_the_nearest() -> None:
    labels = "".join(f'<Label value="label number {number}"/>' for number in range(1000))
    config = f'<View><Text name="text" value="$text"/><Labels name="ner" toName="text">{labels}</Labels></View>'
    wrong = value("ner", labels=["label numbr 77"])
    message = str(refused(wrong, checker=Checker(LabelInterface(config))))
    assert "990 more" in message
    assert "nearest is `label number 77`" in message
    assert len(message) < 500


def test_what_was_got_is_cut_where_it_is_long() -> None:
    message = str(refused(value("mood", choices=["x" * 100_000])))
    assert len(message) < 400
