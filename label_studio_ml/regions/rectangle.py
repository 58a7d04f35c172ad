"""Rectangles on images, and their reader.

Runs in the author's process. Coordinates are pixels, or with `normalized=True` from 0 to 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from . import geometry
from .geometry import Frame, Point
from .region import Found, Labels, Region, Size, build, found_in, labelled, name_of, value_of


@dataclass(frozen=True, kw_only=True)
class Box(Found):
    """A rectangle: upright corners, and how far it is turned around its centre."""

    xyxy: tuple[float, float, float, float]
    """Left, top, right, bottom in pixels, before the turn."""
    rotation: float = 0.0
    """Degrees, clockwise around the centre."""

    @property
    def xywh(self) -> tuple[float, float, float, float]:
        """Left, top, width, height in pixels, before the turn."""
        left, top, right, bottom = self.xyxy
        return left, top, right - left, bottom - top

    @property
    def corners(self) -> list[Point]:
        """The four corners in pixels, after the turn."""
        return geometry.corners(self.xyxy, self.rotation)


def rectangle(
    from_name: str,
    to_name: str,
    label: Labels | None = None,
    *,
    size: Size,
    xyxy: Any = None,
    xywh: Any = None,
    cxcywh: Any = None,
    rotation: Any = 0,
    normalized: bool = False,
    score: Any = None,
    id: str | None = None,  # noqa: A002
) -> Region:
    """A box for `RectangleLabels`; without a label for `Rectangle`.

    What leaves the image is cut off.

    Args:
        from_name: name of the control tag.
        to_name: name of the image tag.
        label: label or labels.
        size: (width, height) of the image in pixels.
        xyxy: (left, top, right, bottom): a tuple, an array or a tensor.
        xywh: or (left, top, width, height).
        cxcywh: or (centre x, centre y, width, height).
        rotation: degrees, clockwise around the centre, as `cv2.minAreaRect` gives it.
        normalized: coordinates are from 0 to 1 instead of pixels.
        score: how sure the model is, 0 to 1.
        id: the region's id; made up if not given.

    Raises:
        RegionError: the box is empty, lies outside the image or holds something that is no number.

    >>> region = rectangle("box", "image", "Car", xyxy=(64, 48, 320, 240), size=(640, 480), score=0.9)
    >>> region["value"]
    {'x': 10.0, 'y': 10.0, 'width': 40.0, 'height': 40.0, 'rotation': 0.0, 'rectanglelabels': ['Car']}
    >>> read_rectangle(region).xyxy
    (64.0, 48.0, 320.0, 240.0)
    """
    frame = Frame.of(size, normalized=normalized)
    kind, labels = labelled("rectangle", label)
    value = geometry.rectangle_value(frame, geometry.box_given(frame, xyxy, xywh, cxcywh), rotation)
    return build(from_name, to_name, kind, {**value, **labels}, score=score, id=id, **frame.stored)


def read_rectangle(region: Mapping[str, Any], *, size: Size | None = None) -> Box:
    """The box of a region that `rectangle` makes.

    Args:
        region: a region with `x`, `y`, `width` and `height`.
        size: (width, height) of the image; by default what the region says.

    Raises:
        RegionError: it is no such region, or the size is unknown.
    """
    box, rotation = geometry.rectangle_read(geometry.frame_of(region, size), value_of(region), name_of(region))
    return Box(**found_in(region), xyxy=box, rotation=rotation)
