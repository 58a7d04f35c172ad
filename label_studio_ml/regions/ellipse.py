"""Ellipses on images, and their reader.

Runs in the author's process. Coordinates are pixels, or with `normalized=True` from 0 to 1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from . import geometry
from .geometry import Frame, Point
from .region import Found, Labels, Region, Size, build, finite, found_in, labelled, name_of, stored_number, value_of


@dataclass(frozen=True, kw_only=True)
class Ellipse(Found):
    """An ellipse."""

    center: Point
    """Its centre in pixels."""
    radii: tuple[float, float]
    """Half its width and half its height in pixels, before the turn."""
    rotation: float = 0.0
    """Degrees, clockwise around the centre."""


def ellipse(
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
    """An ellipse for `EllipseLabels`; without a label for `Ellipse`. It is given by the box that it fills.

    One that leaves the image stays whole as long as its centre is inside; otherwise the ellipse that fills the
    visible part of its bounds is made.

    Args:
        from_name: name of the control tag.
        to_name: name of the image tag.
        label: label or labels.
        size: (width, height) of the image in pixels.
        xyxy: (left, top, right, bottom) of the box: a tuple, an array or a tensor.
        xywh: or (left, top, width, height).
        cxcywh: or (centre x, centre y, width, height), as `cv2.fitEllipse` gives it.
        rotation: degrees, clockwise around the centre.
        normalized: coordinates are from 0 to 1 instead of pixels.
        score: how sure the model is, 0 to 1.
        id: the region's id; made up if not given.

    Raises:
        RegionError: the box is empty, lies outside the image or holds something that is no number.

    >>> ellipse("blob", "image", "Cell", cxcywh=(320, 240, 128, 96), size=(640, 480))["value"]
    {'x': 50.0, 'y': 50.0, 'radiusX': 10.0, 'radiusY': 10.0, 'rotation': 0.0, 'ellipselabels': ['Cell']}
    """
    frame = Frame.of(size, normalized=normalized)
    box = geometry.box_given(frame, xyxy, xywh, cxcywh)
    degrees = finite(rotation, "the rotation") % 360
    around = _ellipse_bounds(box, degrees)
    cut = geometry.visible(frame, around)
    value = _ellipse_value(frame, box, degrees)
    if not (0 <= value["x"] <= 100 and 0 <= value["y"] <= 100 and max(value["radiusX"], value["radiusY"]) <= 50):
        value = _ellipse_value(frame, cut, 0.0)
    kind, labels = labelled("ellipse", label)
    return build(from_name, to_name, kind, {**value, **labels}, score=score, id=id, **frame.stored)


def _ellipse_value(frame: Frame, box: tuple[float, float, float, float], rotation: float) -> dict[str, float]:
    left, top, right, bottom = box
    return {
        "x": frame.x_percent((left + right) / 2),
        "y": frame.y_percent((top + bottom) / 2),
        "radiusX": frame.x_percent((right - left) / 2),
        "radiusY": frame.y_percent((bottom - top) / 2),
        "rotation": rotation,
    }


def _ellipse_bounds(box: tuple[float, float, float, float], rotation: float) -> tuple[float, float, float, float]:
    """The smallest upright box around an ellipse that is turned around its centre."""
    left, top, right, bottom = box
    x, y, across, down = (left + right) / 2, (top + bottom) / 2, (right - left) / 2, (bottom - top) / 2
    cos, sin = math.cos(math.radians(rotation)), math.sin(math.radians(rotation))
    half_width, half_height = math.hypot(across * cos, down * sin), math.hypot(across * sin, down * cos)
    return x - half_width, y - half_height, x + half_width, y + half_height


def read_ellipse(region: Mapping[str, Any], *, size: Size | None = None) -> Ellipse:
    """The ellipse of a region that `ellipse` makes, in pixels.

    Args:
        region: a region with `x`, `y`, `radiusX` and `radiusY`.
        size: (width, height) of the image; by default what the region says.

    Raises:
        RegionError: it is no such region, or the size is unknown.
    """
    width, height, _ = geometry.frame_of(region, size)
    return Ellipse(
        **found_in(region),
        center=(stored_number(region, "x") * width / 100, stored_number(region, "y") * height / 100),
        radii=(stored_number(region, "radiusX") * width / 100, stored_number(region, "radiusY") * height / 100),
        rotation=finite(value_of(region).get("rotation") or 0, f"{name_of(region)}: 'rotation'"),
    )
