"""The values in predictions as the author gave them: what JSON cannot express, and what had to be converted."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable, Iterator
from typing import Any

from ..errors import PredictError
from ..wire import results
from .watched import Call

_PLAIN = (str, int, float, bool, type(None))


def not_finite(calls: Iterable[Call]) -> str | None:
    """What is wrong with the first NaN or infinity, which have no JSON form; None where there is none."""
    with contextlib.suppress(PredictError):
        for leaf in _leaves(results.as_json(list(_predictions(calls)))):
            if isinstance(leaf, float) and not math.isfinite(leaf):
                return f"the prediction holds {leaf}, which JSON cannot express"
    return None


def converted(calls: Iterable[Call]) -> str:
    """Which kinds of values had to be converted."""
    leaves = (leaf for prediction in _predictions(calls) for leaf in _leaves(prediction))
    kinds = {type(leaf).__name__ for leaf in leaves if type(leaf) not in _PLAIN}
    return f"{', '.join(sorted(kinds))} converted" if kinds else "plain values"


def _predictions(calls: Iterable[Call]) -> Iterator[Any]:
    for call in calls:
        for item in call.items:
            with contextlib.suppress(PredictError):
                yield from results.as_predictions(item)


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for part in value.values():
            yield from _leaves(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _leaves(part)
    else:
        yield value
