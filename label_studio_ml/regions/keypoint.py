"""Key points on images, and their reader.

Runs in the author's process. Coordinates are pixels, or with `normalized=True` from 0 to 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import RegionError
from . import geometry
from .geometry import Frame, Point
from .region import Found, Labels, Region, Size, build, finite, found_in, labelled, stored_number


@dataclass(frozen=True, kw_only=True)
class KeyPoint(Found):
    """A point."""

    xy: Point
    """Where it is, in pixels."""
    positive: bool = True
    """False for a click that says "not here" (interactive predictions)."""


def keypoint(
    from_name: str,
    to_name: str,
    label: Labels | None = None,
    *,
    xy: Any,
    size: Size,
    normalized: bool = False,
    width: Any = 0.5,
    score: Any = None,
    id: str | None = None,  # noqa: A002
) -> Region:
    """A point for `KeyPointLabels`; without a label for `KeyPoint`.

    Args:
        from_name: name of the control tag.
        to_name: name of the image tag.
        label: label or labels.
        xy: (x, y): a tuple, an array or a tensor. On the border is inside.
        size: (width, height) of the image in pixels.
        normalized: coordinates are from 0 to 1 instead of pixels.
        width: how large the point is drawn, in percent of the image's width; Label Studio shows no point without.
        score: how sure the model is, 0 to 1.
        id: the region's id; made up if not given.

    Raises:
        RegionError: the point is outside the image, or is not two numbers.

    >>> keypoint("joint", "image", "Nose", xy=(320, 120), size=(640, 480))["value"]
    {'x': 50.0, 'y': 25.0, 'width': 0.5, 'keypointlabels': ['Nose']}
    """
    frame = Frame.of(size, normalized=normalized)
    ((x, y),) = geometry.points_given(frame, [xy])
    if not (0 <= x <= frame.width and 0 <= y <= frame.height):
        raise RegionError(f"The point ({x:g}, {y:g}) lies outside {frame}.")
    kind, labels = labelled("keypoint", label)
    shown = finite(width, "the width of a key point")
    value = {"x": frame.x_percent(x), "y": frame.y_percent(y), "width": shown, **labels}
    return build(from_name, to_name, kind, value, score=score, id=id, **frame.stored)


def read_keypoint(region: Mapping[str, Any], *, size: Size | None = None) -> KeyPoint:
    """The point of a region that `keypoint` makes, or of a click in an interactive prediction.

    Args:
        region: a region with `x` and `y`.
        size: (width, height) of the image; by default what the region says.

    Raises:
        RegionError: it is no such region, or the size is unknown.
    """
    width, height, _ = geometry.frame_of(region, size)
    return KeyPoint(
        **found_in(region),
        xy=(stored_number(region, "x") * width / 100, stored_number(region, "y") * height / 100),
        positive=bool(region.get("is_positive", True)),
    )
