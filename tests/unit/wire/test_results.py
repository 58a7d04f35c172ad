"""What authors return becomes the results of a reply."""

from __future__ import annotations

import collections
import datetime
import enum
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some
from label_studio_sdk.label_interface.objects import PredictionValue

from label_studio_ml.errors import InvalidPrediction, PredictError
from label_studio_ml.response import ModelResponse
from label_studio_ml.wire import results

A: dict[str, Any] = {"result": [], "score": 0.1}
B: dict[str, Any] = {"result": [{"id": "b"}], "score": 0.2}


def value(of: dict[str, Any]) -> PredictionValue:
    return PredictionValue(**of)


def sent(item: Any) -> Any:
    """What Label Studio gets for one item, when the version is `v1`."""
    predictions = results.as_json(results.as_predictions(item))
    results.name_version(predictions, "v1")
    return json.loads(results.encode_item(item, predictions))


class Mood(str):
    """An author's own kind of str."""

    __slots__ = ()


class Level(int):
    pass


class Colour(enum.Enum):
    RED = "red"


@pytest.mark.parametrize(
    ("returned", "items"),
    [
        ([A, B], [A, B]),
        ((A, B), [A, B]),
        ([None, B], [None, B]),
        ([[], [A, B]], [[], [A, B]]),
        ({"predictions": [A, B]}, [A, B]),
        ({"results": [A, B]}, [A, B]),
        ({"predictions": [A, B], "model_version": "1"}, [A, B]),
        (iter([A, B]), [A, B]),
        (dict.fromkeys([1, 2], A).values(), [A, A]),
        (np.array([A, B], dtype=object), [A, B]),
        (None, [[], []]),
        ([], [[], []]),
    ],
    ids=lambda case: type(case).__name__,
)
def test_every_style_of_return_value_gives_one_item_per_task(returned: Any, items: list[Any]) -> None:
    assert results.normalise(returned, 2) == items


def test_objects_of_the_sdk_are_items_too() -> None:
    first, second = value(A), value(B)
    assert results.normalise([first, second], 2) == [first, second]
    assert results.normalise([[first], [second, first]], 2) == [[first], [second, first]]
    response = ModelResponse(predictions=[first, [second]], model_version="7")
    assert results.normalise(response, 2) == [first, [second]]


def test_a_generator_is_read_once() -> None:
    assert results.normalise(({"result": [number]} for number in range(3)), 3) == [
        {"result": [0]},
        {"result": [1]},
        {"result": [2]},
    ]


@pytest.mark.parametrize("make", [dict, value], ids=["dict", "PredictionValue"])
def test_one_prediction_serves_one_task(make: Callable[[dict[str, Any]], Any]) -> None:
    only = make(A)
    assert results.normalise(only, 1) == [only]
    with pytest.raises(results.WrongCount, match="1 results for 2 tasks"):
        results.normalise(only, 2)


@pytest.mark.parametrize("count", [1, 2, 4, 0])
def test_a_wrong_number_of_results_is_refused(count: int) -> None:
    with pytest.raises(results.WrongCount, match=f"returned 3 results for {count} tasks"):
        results.normalise([A, B, A], count)


@pytest.mark.parametrize("returned", ["result", b"result", 5, True, {"label": "x"}, object(), {"predictions": 3}])
def test_what_holds_no_predictions_is_refused(returned: Any) -> None:
    with pytest.raises(PredictError, match="return a list with one prediction per task") as caught:
        results.normalise(returned, 1)
    assert not isinstance(caught.value, results.WrongCount)


@pytest.mark.parametrize("nothing", [None, [], (), {}])
def test_no_prediction_stores_nothing_for_the_task(nothing: Any) -> None:
    assert results.as_predictions(nothing) == []
    assert sent(nothing) == []


@pytest.mark.parametrize("item", ["text", 3, [A, "text"], [[A]], object(), [None]])
def test_an_item_that_is_no_prediction_is_refused(item: Any) -> None:
    with pytest.raises(PredictError, match="a prediction must be a dict with `result`"):
        results.as_predictions(item)


def test_a_prediction_without_result_is_refused_and_its_keys_are_named() -> None:
    with pytest.raises(PredictError, match=r"needs the key `result`; this one has \['score', 'value'\]"):
        results.as_predictions({"value": 1, "score": 2})


def test_a_list_of_predictions_stays_a_list_and_a_single_one_does_not_become_one() -> None:
    assert sent(A) == {**A, "model_version": "v1"}
    assert sent([A]) == [{**A, "model_version": "v1"}]
    assert [one["score"] for one in sent((A, B))] == [0.1, 0.2]
    assert sent(value(A)) == {**A, "model_version": "v1"}


@pytest.mark.parametrize(
    ("given_value", "expected"),
    [
        (np.float64(0.5), 0.5),
        (np.float32(0.5), 0.5),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (np.str_("cat"), "cat"),
        (np.array([[1, 2], [3, 4]]), [[1, 2], [3, 4]]),
        (np.array(["a", "b"]), ["a", "b"]),
        (np.array(7), 7),
        ({np.str_("k"): np.int64(1)}, {"k": 1}),
        ({np.int64(3): 1}, {"3": 1}),
        ({1: "a"}, {"1": "a"}),
        (Mood("calm"), "calm"),
        (Level(4), 4),
        (Colour.RED, "red"),
        (collections.OrderedDict(a=1), {"a": 1}),
        (collections.defaultdict(list, a=[1]), {"a": [1]}),
        ((1, (2,)), [1, [2]]),
        ({5}, [5]),
        (frozenset({5}), [5]),
        (Path("a/b"), "a/b"),
        (datetime.date(2026, 1, 2), "2026-01-02"),
        (
            value({"result": [{"x": np.float32(0.5)}]}),
            {"result": [{"x": 0.5}], "score": 0.0, "model_version": None},
        ),
    ],
    ids=lambda case: type(case).__name__,
)
def test_values_of_common_libraries_become_json(given_value: Any, expected: Any) -> None:
    made = results.as_json({"deep": [given_value]})
    assert json.loads(json.dumps(made)) == {"deep": [expected]}


@pytest.mark.parametrize("odd", [object(), lambda: None, {(1, 2): 3}, 1j])
def test_what_has_no_json_form_is_refused(odd: Any) -> None:
    with pytest.raises(PredictError, match="the prediction is not JSON"):
        results.as_json([odd])


def test_every_prediction_names_the_announced_version() -> None:
    for own in (None, "", "1.0", "old"):
        predictions: list[dict[str, Any]] = [{"result": [], "model_version": own}]
        results.name_version(predictions, "v2")
        assert predictions[0]["model_version"] == "v2"


@pytest.mark.parametrize(
    ("own", "named"),
    [
        ([None, None], ["v2", "v2"]),
        (["a", None], ["a", "v2"]),
        (["v2", "b"], ["v2", "b"]),
        (["a", "b"], ["v2", "b"]),
        (["", "b", "c"], ["v2", "b", "c"]),
    ],
)
def test_predictions_of_several_models_keep_their_names_as_long_as_one_has_the_announced_one(
    own: list[str | None], named: list[str]
) -> None:
    predictions: list[dict[str, Any]] = [{"result": [], "model_version": name} for name in own]
    results.name_version(predictions, "v2")
    assert [prediction["model_version"] for prediction in predictions] == named


def test_naming_nothing_does_nothing() -> None:
    nothing: list[dict[str, Any]] = []
    results.name_version(nothing, "v2")
    assert nothing == []


@pytest.mark.parametrize("score", [None, 0, 1, 0.5, -3, 1e300])
def test_numbers_are_scores(score: float | None) -> None:
    results.check_score([{"result": []}, {"result": [], "score": score}])


@pytest.mark.parametrize("score", [True, False, math.nan, math.inf, -math.inf, "0.5", [0.5], {}])
def test_what_is_no_finite_number_is_no_score(score: Any) -> None:
    with pytest.raises(PredictError, match="`score` must be a finite number or None"):
        results.check_score([{"result": [], "score": 0.5}, {"result": [], "score": score}])


class Tensor:
    """What PyTorch, TensorFlow and JAX have in common."""

    def __init__(self, values: Any) -> None:
        self._values = values

    def __len__(self) -> int:
        return len(self._values)

    def tolist(self) -> Any:
        return self._values


def test_arrays_and_tensors_are_converted_wherever_they_are() -> None:
    prediction = {
        "result": [{"value": {"x": np.float32(1.5), "points": np.array([[1, 2], [3, 4]]), "on": np.bool_(True)}}],
        "score": Tensor(0.25),
        "more": (Tensor([1, 2]), {np.int64(3)}, np.str_("text")),
    }
    assert results.as_json(prediction) == {
        "result": [{"value": {"x": 1.5, "points": [[1, 2], [3, 4]], "on": True}}],
        "score": 0.25,
        "more": ([1, 2], [3], "text"),
    }


def inside_itself() -> dict[str, Any]:
    made: dict[str, Any] = {}
    made["result"] = [made]
    return made


@pytest.mark.parametrize("odd", [object(), {"a": object()}, {(1, 2): 3}, inside_itself(), Tensor(object())])
def test_what_is_no_json_is_refused_with_that_reason(odd: Any) -> None:
    with pytest.raises(InvalidPrediction, match="the prediction is not JSON") as caught:
        results.as_json(odd)
    assert caught.value.reason == "json"


def test_half_a_character_has_no_json() -> None:
    with pytest.raises(InvalidPrediction, match="the prediction is not JSON") as caught:
        results.encode_item(None, [{"result": [{"value": {"text": ["\ud800"]}}]}])
    assert caught.value.reason == "json"


numbers = some.integers(-(2**53), 2**53) | some.floats(allow_nan=False, allow_infinity=False)
json_like = some.recursive(
    some.none() | some.booleans() | numbers | some.text('aé日"\\\n\0', max_size=4),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text("ab", max_size=3), inner, max_size=3),
    max_leaves=6,
)
predictions_like = some.fixed_dictionaries(
    {"result": some.lists(json_like, max_size=3)}, optional={"score": some.floats(0, 1), "extra": json_like}
)
items_like = some.none() | predictions_like | some.lists(predictions_like, max_size=3)


@given(some.lists(items_like, min_size=1, max_size=8))
def test_a_reply_keeps_count_and_order(returned: list[Any]) -> None:
    items = results.normalise(returned, len(returned))
    encoded = []
    for item in items:
        predictions = results.as_json(results.as_predictions(item))
        results.name_version(predictions, "v1")
        encoded.append(results.encode_item(item, predictions))
    sent_items = json.loads(results.predict_body(encoded))["results"]
    assert len(sent_items) == len(returned)
    for given_item, result in zip(returned, sent_items, strict=True):
        expected = given_item if isinstance(given_item, list) else [given_item] if given_item else []
        many = result if isinstance(result, list) else [result]
        assert [one["result"] for one in many] == [one["result"] for one in expected]
        assert isinstance(result, list) == (isinstance(given_item, list) or not given_item)
