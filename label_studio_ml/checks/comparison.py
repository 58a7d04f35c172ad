"""Predictions compared: how many regions they hold, and whether two are about the same."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..utils import compare_nested_structures

Json = dict[str, Any]

_NEW_EACH_TIME = ("id", "from_id", "to_id", "parentID", "model_version", "created_at")


def regions(predictions: Iterable[list[Json]]) -> int:
    """How many regions predictions hold."""
    return sum(len(prediction["result"]) for item in predictions for prediction in item)


def difference(found: list[list[Json]], expected: list[list[Json]]) -> str:
    """Where predictions differ; empty when they are about equal."""
    try:
        compare_nested_structures(_comparable(found), _comparable(expected), rel=1e-3, abs=1e-3)
    except AssertionError as error:
        return str(error).removeprefix("[0][0].")
    return ""


def _comparable(value: Any) -> Any:
    """Without what is new each time."""
    if isinstance(value, dict):
        return {key: _comparable(part) for key, part in value.items() if key not in _NEW_EACH_TIME}
    return [_comparable(part) for part in value] if isinstance(value, list) else value
