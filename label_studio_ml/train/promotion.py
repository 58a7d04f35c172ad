"""May a new version predict? `--promote-if` compares its metrics with numbers, or with the active version's."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping

import msgspec

from ..errors import SettingError

_COMPARE: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}
_NUMBER = r"(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?"
_CONDITION = re.compile(
    r"\s*(?P<metric>[\w.-]+?)\s*(?P<comparison>>=|<=|>|<)\s*"
    rf"(?:(?P<active>active)\s*(?P<offset>[+-]\s*{_NUMBER})?|(?P<number>[+-]?\s*{_NUMBER}))\s*"
)


class Condition(msgspec.Struct, frozen=True):
    """One comparison."""

    metric: str
    """What is compared, as the author calls it."""
    comparison: str
    """`>=`, `<=`, `>` or `<`."""
    relative: bool
    """Whether the active version's metric is added to `number`."""
    number: float
    """What it is compared with."""
    text: str
    """The condition as it was written."""


def parse(text: str) -> list[Condition]:
    """Read conditions separated by commas.

    Raises:
        SettingError: one is not understood.

    >>> [condition.metric for condition in parse("f1>=active-0.01, loss<0.5")]
    ['f1', 'loss']
    """
    conditions = []
    for part in filter(str.strip, text.split(",")):
        match = _CONDITION.fullmatch(part)
        if match is None:
            raise SettingError(
                f"promote_if: {part.strip()!r} is not a condition. Write metric, comparison and `active` or a "
                "number, as in f1>=active or loss<0.5."
            )
        number = float((match["number"] or match["offset"] or "0").replace(" ", ""))
        relative = match["active"] is not None
        conditions.append(Condition(match["metric"], match["comparison"], relative, number, part.strip()))
    return conditions


def refusal(conditions: list[Condition], metrics: Mapping[str, float], active: Mapping[str, float]) -> str | None:
    """Why a version must not predict; None when it may.

    A comparison with the active version holds while that one has no such metric, as before the first training.

    >>> refusal(parse("f1>=active"), {"f1": 0.7}, {"f1": 0.8})
    'f1 is 0.7, which is not >= 0.8 (f1>=active)'
    """
    for condition in conditions:
        if condition.metric not in metrics:
            known = ", ".join(sorted(metrics)) or "none"
            return f"there is no metric {condition.metric} ({condition.text}); metrics: {known}"
        if condition.relative and condition.metric not in active:
            continue
        bound = condition.number + (active[condition.metric] if condition.relative else 0.0)
        value = metrics[condition.metric]
        if not _COMPARE[condition.comparison](value, bound):
            return (
                f"{condition.metric} is {value:g}, which is not {condition.comparison} {bound:g} ({condition.text})"
            )
    return None
