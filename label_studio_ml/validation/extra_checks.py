"""Checks that the SDK does not make, for what Label Studio then cannot store or show. Pure functions over JSON."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

SLACK = 1e-6
"""How far below 0 a percentage may be: what dividing pixels by sizes leaves."""

_BOX = ("x", "y", "width", "height")
_IN_PERCENT: dict[str, tuple[str, ...]] = {
    "rectangle": _BOX,
    "ellipse": ("x", "y", "radiusX", "radiusY"),
    "keypoint": ("x", "y"),
    "polygon": (),
    "videorectangle": (),
}
"""What is in percent of the image, by type; a polygon has `points` besides, a video rectangle its `sequence`."""


def backwards(value: Mapping[str, Any]) -> bool:
    """Whether a span ends before it starts.

    Starts and ends are numbers, numbers as text (paragraphs), or anything else (dates, paths into a document):
    that is not compared, but where both are equal, the offsets inside of it are.
    """
    start, end = value.get("start"), value.get("end")
    if start == end:
        start, end = value.get("startOffset"), value.get("endOffset")
    if isinstance(start, str) and "timeserieslabels" in value:  # a date, even when it is all digits
        return False
    first, last = number(start), number(end)
    return first is not None and last is not None and last < first


def number(value: Any) -> float | None:
    """The value as the SDK reads numbers, from text as well; None where it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None


def finite(value: Any, known: frozenset[str] = frozenset()) -> bool:
    """Whether a list or dict holds neither NaN nor an infinite number, however deep; `known` keys are left out."""
    if isinstance(value, dict):
        items: Iterable[Any] = [item for key, item in value.items() if key not in known]
    elif len(value) > 50 and _finite_sum(value):
        return True
    else:
        items = value
    for item in items:
        kind = type(item)
        if kind is float:
            if item - item != 0.0:  # math.isfinite() takes twice as long
                return False
        elif kind in (dict, list, tuple) and not finite(item):
            return False
    return True


def _finite_sum(numbers: Any) -> bool:
    """Whether these are numbers only, and finite: masks have many thousands."""
    try:
        return math.isfinite(sum(numbers))
    except (TypeError, OverflowError):
        return False


def not_finite(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Where in a value there is NaN or an infinite number, and which of them."""
    if isinstance(value, float) and not math.isfinite(value):
        yield path, str(value)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from not_finite(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from not_finite(item, f"{path}.{index}")


def percentages(value: dict[str, Any], kind: str) -> Iterator[tuple[str, float]]:
    """Every number of a value that is in percent of the image, with its place."""
    places: list[tuple[str, Any]] = [(key, value.get(key)) for key in _IN_PERCENT.get(kind, ())]
    for index, point in _numbered(value.get("points") if kind == "polygon" else None):
        places += [(f"points.{index}.{axis}", found) for axis, found in _numbered(point)]
    for index, box in _numbered(value.get("sequence") if kind == "videorectangle" else None):
        places += [(f"sequence.{index}.{key}", box.get(key)) for key in _BOX if isinstance(box, dict)]
    for place, raw in places:
        found = number(raw)
        if found is not None:
            yield place, found


def _numbered(value: Any) -> Iterable[tuple[int, Any]]:
    return enumerate(value) if isinstance(value, list) else ()
