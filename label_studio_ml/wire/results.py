"""From what predict() returned to what Label Studio accepts. Pure functions.

An item of `results` is one prediction or a list of them; `[]` stores nothing for its task.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from ..errors import InvalidPrediction, PredictError

NOTHING = b"[]"


_NO_JSON = (TypeError, ValueError, OverflowError, RecursionError)


class WrongCount(PredictError):
    """predict() returned another number of results than it was given tasks."""


def normalise(returned: Any, count: int) -> list[Any]:
    """Turn any return value that authors use into one item per task.

    Accepts a list (of dicts, `PredictionValue`s, lists of them, or None), a `ModelResponse`, a dict with
    `predictions` (or `results`), one prediction for one task, an iterator, and None or an empty list for no
    predictions at all: models for interactive use return that where nobody has clicked yet.

    Raises:
        WrongCount: the number of results is not `count`.
        PredictError: the value is of another kind.

    >>> normalise({"predictions": [{"result": []}]}, 1)
    [{'result': []}]
    """
    if returned is None:
        return [[] for _ in range(count)]
    items = getattr(returned, "predictions", returned)
    if hasattr(items, "model_dump"):
        items = [items]  # one PredictionValue; iterating over it would give its fields
    if isinstance(items, dict):
        items = items.get("predictions", items.get("results", [items] if "result" in items else items))
    if isinstance(items, dict | str | bytes) or not isinstance(items, Iterable):
        raise PredictError(
            f"predict() returned {type(returned).__name__}; return a list with one prediction per task."
        )
    items = list(items)
    if not items:
        return [[] for _ in range(count)]
    if len(items) != count:
        raise WrongCount(f"predict() returned {len(items)} results for {count} tasks.")
    return items


def as_predictions(item: Any) -> list[dict[str, Any]]:
    """The predictions in one item, as dicts.

    Raises:
        InvalidPrediction: one of them is not a prediction.
    """
    if type(item) is dict and "result" in item:  # as nearly always
        return [item]
    if item is None or (isinstance(item, dict | list) and not item):
        return []
    many = item if isinstance(item, Sequence) and not isinstance(item, str | bytes) else [item]
    predictions = []
    for one in many:
        prediction = one.model_dump() if hasattr(one, "model_dump") else one
        if not isinstance(prediction, dict):
            raise InvalidPrediction(
                f"a prediction must be a dict with `result`, not {type(one).__name__}.", "shape"
            )
        if "result" not in prediction:
            raise InvalidPrediction(
                f"a prediction needs the key `result`; this one has {sorted(map(str, prediction))}.", "shape"
            )
        predictions.append(prediction)
    return predictions


def plain(value: Any) -> Any:
    """Make a value out of common libraries into JSON.

    Understands the SDK's regions, NumPy, PyTorch, pandas, pydantic, sets, paths, and kinds of str.

    Raises:
        TypeError: there is no JSON for it.
    """
    for method in ("_dict", "model_dump", "tolist", "item", "isoformat", "__fspath__"):
        convert = getattr(type(value), method, None)  # not of the object: mocks have every attribute there is
        if callable(convert):
            return convert(value)
    if isinstance(value, set | frozenset | tuple):
        return list(value)
    for kind in (str, int, float):
        if isinstance(value, kind):  # msgspec takes no subclasses
            return kind(value)
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")


def as_json(value: Any) -> Any:
    """The value as JSON would give it back: only dicts, lists, strings, numbers, booleans and None.

    Raises:
        InvalidPrediction: something in it has no JSON form.
    """
    try:
        return msgspec.to_builtins(value, str_keys=True, enc_hook=plain)
    except _NO_JSON as error:
        raise _not_json(error) from None


def _not_json(error: Exception) -> InvalidPrediction:
    nested = isinstance(error, RecursionError)
    return InvalidPrediction(f"the prediction is not JSON: {'it contains itself' if nested else error}.", "json")


def name_version(predictions: list[dict[str, Any]], version: str) -> None:
    """Put the version that `/setup` announces on the predictions of one task.

    Label Studio asks again and again for tasks that have no prediction of the announced version. Several
    predictions for a task may be of several models: they keep their names, as long as one has the announced one.
    """
    if len(predictions) == 1:
        predictions[0]["model_version"] = version
    elif predictions:
        for prediction in predictions:
            prediction["model_version"] = prediction.get("model_version") or version
        if all(prediction["model_version"] != version for prediction in predictions):
            predictions[0]["model_version"] = version


def check_score(predictions: list[dict[str, Any]]) -> None:
    """Raise InvalidPrediction when a score is not a number, for which Label Studio refuses the whole batch."""
    for prediction in predictions:
        score = prediction.get("score")
        if score is None or (type(score) is float and 0 <= score <= 1):
            continue
        if isinstance(score, bool) or not isinstance(score, int | float) or not math.isfinite(score):
            raise InvalidPrediction(f"`score` must be a finite number or None, not {score!r}.", "score")


def encode_item(item: Any, predictions: list[dict[str, Any]]) -> bytes:
    """The JSON of one item of `results`: a list where the author gave a list, else the prediction itself.

    Raises:
        InvalidPrediction: some text in it has no JSON form.
    """
    if not predictions:
        return NOTHING
    single = type(item) is dict or (
        len(predictions) == 1 and not (isinstance(item, Sequence) and not isinstance(item, str | bytes))
    )
    try:
        return msgspec.json.encode(predictions[0] if single else predictions)
    except _NO_JSON as error:  # half of a surrogate pair, say
        raise _not_json(error) from None


def predict_body(results: Sequence[bytes]) -> bytes:
    """The body of a `/predict` reply from items that are encoded already."""
    return b'{"results":[%b]}' % b",".join(results)
