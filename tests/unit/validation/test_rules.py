"""The checker against the SDK's own check: ten thousand mutated predictions, and what hypothesis makes up."""

from __future__ import annotations

import collections
import copy
import json
import math
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from label_studio_sdk.label_interface import LabelInterface

from label_studio_ml.errors import InvalidPrediction
from label_studio_ml.validation import rules
from label_studio_ml.validation.checker import Checker
from tests.support.region_samples import CONFIG, SAMPLES, relation, sample, split

INTERFACE = LabelInterface(CONFIG)
CHECKER = Checker(INTERFACE)

SPLIT_ONLY = '<View><Image name="image" value="$image"/><Labels name="tags" toName="image"/></View>'


def fault(prediction: Any, checker: Checker = CHECKER) -> InvalidPrediction | None:
    """What we say about a prediction."""
    try:
        checker.check([prediction])
    except InvalidPrediction as invalid:
        return invalid
    return None


def refusals(prediction: Any) -> list[str]:
    """What Label Studio says: the SDK's check of what comes out of the JSON."""
    said: list[str] = INTERFACE.validate_prediction(json.loads(json.dumps(prediction)), return_errors=True)
    return said


# --- what we may refuse though the SDK does not, told apart without our own code ----------------------------------


def numbers(value: Any) -> Iterator[float]:
    if isinstance(value, bool):
        return
    if isinstance(value, int | float):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from numbers(item)


def as_number(value: Any) -> float:
    try:
        return math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        return math.nan


def dicts(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from dicts(item)


def has_negative(value: Any) -> bool:
    keys = ("x", "y", "width", "height", "radiusX", "radiusY")
    found = [as_number(part[key]) for part in dicts(value) for key in keys if key in part]
    for part in dicts(value):
        for point in part["points"] if isinstance(part.get("points"), list) else ():
            found += [as_number(axis) for axis in point]
    return any(number < 0 for number in found)


def ends_first(value: Any) -> bool:
    return any(
        as_number(part.get(end)) < as_number(part.get(start))
        for part in dicts(value)
        for start, end in (("start", "end"), ("startOffset", "endOffset"))
    )


OVERLOOKED: dict[str, Callable[[dict[str, Any]], bool]] = {
    "score": lambda prediction: (
        not isinstance(prediction["score"], int | float) or isinstance(prediction["score"], bool)
    ),
    "number": lambda prediction: not all(map(math.isfinite, numbers(prediction["result"]))),
    "control": lambda prediction: any(region["from_name"] is None for region in prediction["result"]),
    "type": lambda prediction: any(region["type"] != region["type"].lower() for region in prediction["result"]),
    "percentage": lambda prediction: has_negative(prediction["result"]),
    "span": lambda prediction: ends_first(prediction["result"]),
}


def compare(prediction: Any) -> str:
    """Check that our verdict may stand beside the SDK's; what it was."""
    ours, theirs = fault(prediction), refusals(prediction)
    if theirs:
        assert ours is not None, f"Label Studio would refuse {prediction}: {theirs}"
        return "both refuse"
    if ours is None:
        return "both accept"
    assert ours.reason in OVERLOOKED, f"{ours} ({ours.reason}), but Label Studio takes {prediction}"
    assert OVERLOOKED[ours.reason](prediction), f"{ours} ({ours.reason}) is not true of {prediction}"
    return f"only we refuse: {ours.reason}"


# --- mutations --------------------------------------------------------------------------------------------------

ODD: list[Any] = [
    None, True, False, 0, 1, -1, -0.5, 3, 50, 50.5, 100, 100.5, 101, 1e9, 2**70, 0.1, math.nan, math.inf, -math.inf,
    "", "12", "-3", "nan", "1e400", "text", "Good", "Car", "left", "é\u0000", [], [1], [""], ["Good"], [[]],
    [["Animal", "Cat"]], [[1, 2]], [[0, -1, 2]], {}, {"x": 1}, {"start": 9, "end": 1}, "relation", "Labels",
]  # fmt: skip


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every (container, key) in a value."""
    if isinstance(value, dict | list):
        for key, item in list(value.items() if isinstance(value, dict) else enumerate(value)):
            yield value, key
            yield from places(item)


def mutate(prediction: dict[str, Any], chance: random.Random) -> None:
    """Change something somewhere in a prediction."""
    found = list(places(prediction))
    if not found:
        return
    container, key = chance.choice(found)
    value = container[key]
    kind = chance.choice(["odd", "odd", "delete", "swap", "nudge", "rename", "wrap", "foreign", "repeat", "nest"])
    if kind == "odd":
        container[key] = copy.deepcopy(chance.choice(ODD))
    elif kind == "delete":
        del container[key]
    elif kind == "swap":
        place = chance.choice(found)
        container[key] = copy.deepcopy(place[0][place[1]])
    elif kind == "nudge":
        if isinstance(value, str):
            container[key] = chance.choice([value.upper(), value.title(), value + "s", value[:-1], f" {value}"])
        elif isinstance(value, int | float) and not isinstance(value, bool):
            container[key] = chance.choice([value + 1, value - 60, -value, value * 10, float(value), str(value)])
    elif kind == "rename" and isinstance(container, dict):
        container[chance.choice(["x", "labels", "value", "id", "type", key.lower(), f"{key}s"])] = container.pop(
            key
        )
    elif kind == "wrap":
        container[key] = chance.choice([[value], {key if isinstance(key, str) else "a": value}])
    elif kind == "foreign" and isinstance(container, dict):
        container[key] = copy.deepcopy(sample(chance.choice(list(SAMPLES))).get(key, value))
    elif kind == "nest" and isinstance(container, dict):  # the SDK looks for values under the name of the control
        container[chance.choice(list(SAMPLES))] = copy.deepcopy(
            chance.choice([{}, {"choices": ["Good"]}, container])
        )
    elif kind == "repeat" and isinstance(container, list):
        container.append(copy.deepcopy(value))


def made_up(chance: random.Random) -> dict[str, Any]:
    """A prediction of regions that fit, then changed in up to three places."""
    result = [sample(name) for name in chance.choices(list(SAMPLES), k=chance.randint(1, 3))]
    if chance.random() < 0.25:
        result += split()
    if chance.random() < 0.25:
        result += [sample("box"), sample("plain"), relation()]
    chance.shuffle(result)
    prediction = {"result": result, "score": chance.choice([None, 0, 0.5, 1]), "model_version": "1"}
    for _ in range(chance.randint(0, 3)):
        mutate(prediction, chance)
    return prediction


def test_ten_thousand_mutated_predictions_get_the_verdict_of_the_sdk_or_a_reason() -> None:
    chance = random.Random(1795)
    verdicts = collections.Counter(compare(made_up(chance)) for _ in range(10_000))
    assert verdicts["both accept"] > 2000, verdicts
    assert verdicts["both refuse"] > 4000, verdicts
    only_ours = {verdict.rpartition(": ")[2] for verdict in verdicts if verdict.startswith("only we")}
    assert only_ours == set(OVERLOOKED) - {"control"}, "the SDK itself refuses None for one of many controls"


@given(st.randoms(use_true_random=False))
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_hypothesis_changes_the_verdicts_agree(chance: random.Random) -> None:
    compare(made_up(chance))


# --- rules ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("control", SAMPLES)
def test_every_common_tag_has_a_rule_that_knows_its_sample(control: str) -> None:
    compiled = rules.compile_rules(INTERFACE.controls, (tag.name for tag in INTERFACE.objects))
    assert refusals({"result": [sample(control)]}) == []
    assert compiled[control].fits(sample(control))


def numbers_and_texts() -> st.SearchStrategy[Any]:
    odd = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4) | st.sampled_from(ODD)
    return st.recursive(
        odd, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
    )


@given(st.data())
@settings(max_examples=500, deadline=None)
def test_what_a_rule_takes_the_sdk_takes(data: st.DataObject) -> None:
    compiled = rules.compile_rules(INTERFACE.controls, (tag.name for tag in INTERFACE.objects))
    region = sample(data.draw(st.sampled_from(list(SAMPLES))))
    container, key = data.draw(st.sampled_from(list(places(region))))
    container[key] = data.draw(numbers_and_texts())
    name = region.get("from_name")
    rule = compiled.get(name) if isinstance(name, str) else None
    if rule is not None and rule.fits(region):
        assert INTERFACE.validate_prediction({"result": [region]}, return_errors=True) == []


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.just(object()),
        lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text() | st.integers(), inner),
    )
)
@settings(max_examples=500, deadline=None)
def test_nothing_but_the_verdict_comes_out_whatever_goes_in(odd: Any) -> None:
    fault(odd)
    fault({"result": odd, "score": odd})
    fault({"result": [odd, sample("box", value=odd), sample("ner", id=odd), relation(from_id=odd)]})


def test_a_tag_of_somebody_else_is_left_to_the_sdk() -> None:
    from label_studio_sdk.label_interface.control_tags import ChoicesTag

    class Pickier(ChoicesTag):  # type: ignore[misc]
        def validate_value(self, value: dict[str, Any], context: Any = None) -> bool:
            return bool(value.get("choices") == ["Good"])

    config = (
        '<View><Text name="text" value="$text"/><Choices name="mood" toName="text">'
        '<Choice value="Good"/><Choice value="Bad"/></Choices></View>'
    )
    checker = Checker(LabelInterface(config, tags_mapping={"choices": Pickier}))
    assert rules.compile_rules(checker.interface.controls, ["text"]) == {}
    assert fault({"result": [sample("mood", value={"choices": ["Good"]})]}, checker) is None
    assert fault({"result": [sample("mood", value={"choices": ["Bad"]})]}, checker) is not None


def test_an_unknown_tag_is_left_to_the_sdk() -> None:
    config = '<View><Text name="text" value="$text"/><Novelty name="new" toName="text"/></View>'
    checker = Checker(LabelInterface(config))
    region = {"from_name": "new", "to_name": "text", "type": "novelty", "value": {"anything": "goes"}}
    assert rules.compile_rules(checker.interface.controls, ["text"]) == {}
    assert fault({"result": [region]}, checker) is None
    assert fault({"result": [region | {"type": "choices"}]}, checker) is not None
    assert fault({"result": [region | {"value": {"anything": math.inf}}]}, checker) is not None
