"""Relations between regions of one result.

Runs in the author's process.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ..errors import RegionError
from .region import Labels, Region, label_list


@dataclass(frozen=True, kw_only=True)
class Relation:
    """A relation between two regions."""

    from_id: str
    """Id of the first region."""
    to_id: str
    """Id of the second region."""
    direction: str
    """`right` from the first to the second, `left` the other way, `bi` both."""
    labels: tuple[str, ...]
    """What the relation is called; empty where it has no label."""


def relation(
    source: Mapping[str, Any],
    target: Mapping[str, Any],
    label: Labels | None = None,
    *,
    direction: Literal["right", "left", "bi"] = "right",
) -> Region:
    """A relation between two regions. Put it into the same result.

    Args:
        source: a region that a builder made.
        target: another one.
        label: label or labels, of a `Relations` tag.
        direction: `right` from source to target, `left` the other way, `bi` both.

    Raises:
        RegionError: a region has no id, or the direction is none of these.

    >>> from label_studio_ml.regions import text_span
    >>> ada = text_span("entity", "text", "Person", text="Ada in London", start=0, end=3, id="a")
    >>> london = text_span("entity", "text", "Place", text="Ada in London", start=7, end=13, id="l")
    >>> relation(ada, london, "lives in")
    {'type': 'relation', 'from_id': 'a', 'to_id': 'l', 'direction': 'right', 'labels': ['lives in']}
    """
    if direction not in {"right", "left", "bi"}:
        raise RegionError(f"The direction of a relation is 'right', 'left' or 'bi', not {direction!r}.")
    if not source.get("id") or not target.get("id"):
        raise RegionError("A relation needs two regions with ids; builders give each region one.")
    found = {"type": "relation", "from_id": source["id"], "to_id": target["id"], "direction": direction}
    return found if label is None else {**found, "labels": label_list(label)}


def read_relation(region: Mapping[str, Any]) -> Relation:
    """The relation in an item of a result that has `"type": "relation"`.

    Raises:
        RegionError: it is no relation.
    """
    try:
        return Relation(
            from_id=region["from_id"],
            to_id=region["to_id"],
            direction=region.get("direction") or "right",
            labels=tuple(region.get("labels") or ()),
        )
    except KeyError as error:
        raise RegionError(f"A relation must have {error}; this has: {', '.join(region)}.") from None
