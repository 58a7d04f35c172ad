"""Polygons on images, and their reader.

Runs in the author's process. Coordinates are pixels, or with `normalized=True` from 0 to 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import RegionError
from . import geometry
from .geometry import Frame, Point
from .region import Found, Labels, Region, Size, build, found_in, labelled, name_of, value_of


@dataclass(frozen=True, kw_only=True)
class Polygon(Found):
    """A polygon."""

    points: list[Point]
    """Its corners in pixels."""


def polygon(
    from_name: str,
    to_name: str,
    label: Labels | None = None,
    *,
    points: Any,
    size: Size,
    normalized: bool = False,
    score: Any = None,
    id: str | None = None,  # noqa: A002
) -> Region:
    """A polygon for `PolygonLabels`; without a label for `Polygon`.

    What leaves the image is cut off.

    Args:
        from_name: name of the control tag.
        to_name: name of the image tag.
        label: label or labels.
        points: (n, 2) pixels, or a contour of OpenCV, (n, 1, 2).
        size: (width, height) of the image in pixels.
        normalized: coordinates are from 0 to 1 instead of pixels.
        score: how sure the model is, 0 to 1.
        id: the region's id; made up if not given.

    Raises:
        RegionError: there are fewer than three points, or they lie outside the image or are no numbers.

    >>> polygon("shape", "image", "Roof", points=[[0, 0], [64, 0], [64, 48]], size=(640, 480))["value"]
    {'points': [[0.0, 0.0], [10.0, 0.0], [10.0, 10.0]], 'closed': True, 'polygonlabels': ['Roof']}
    """
    frame = Frame.of(size, normalized=normalized)
    given = geometry.points_given(frame, points)
    if len(given) < 3:
        raise RegionError(f"A polygon has three points or more, not {len(given)}.")
    kept = geometry.cut_polygon(frame, given)
    if len(kept) < 3:
        raise RegionError(f"The polygon lies outside {frame}.")
    kind, labels = labelled("polygon", label)
    value = {"points": [[frame.x_percent(x), frame.y_percent(y)] for x, y in kept], "closed": True, **labels}
    return build(from_name, to_name, kind, value, score=score, id=id, **frame.stored)


def read_polygon(region: Mapping[str, Any], *, size: Size | None = None) -> Polygon:
    """The polygon of a region that `polygon` makes, in pixels.

    Args:
        region: a region with `points`.
        size: (width, height) of the image; by default what the region says.

    Raises:
        RegionError: it is no such region, or the size is unknown.
    """
    stored = value_of(region, "points")["points"]
    frame = geometry.frame_of(region, size)
    try:
        points = geometry.points_given(Frame(frame.width / 100, frame.height / 100, normalized=True), stored)
    except RegionError as error:
        raise RegionError(f"{name_of(region)}: {error}") from None
    return Polygon(**found_in(region), points=points)
