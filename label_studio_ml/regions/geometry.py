"""Pixels and Label Studio's percentages: boxes, rotation, and what to do with things that leave the image.

Pure functions. Label Studio turns a rectangle around its top left corner, in pixels, clockwise.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from ..errors import RegionError
from .region import Size, finite, name_of, numbers, plain

Point = tuple[float, float]


class Frame(NamedTuple):
    """An image's size, and how coordinates are given."""

    width: float
    """In pixels."""
    height: float
    """In pixels."""
    normalized: bool = False
    """Whether coordinates are from 0 to 1 instead of pixels."""

    @classmethod
    def of(cls, size: Size, *, normalized: bool = False) -> Frame:
        """Check the size.

        Raises:
            RegionError: it is not two positive numbers.
        """
        width, height = numbers(size, 2, "the size")
        if width <= 0 or height <= 0:
            raise RegionError(f"The size must be (width, height) in pixels, not ({width:g}, {height:g}).")
        return cls(width, height, normalized)

    def in_pixels(self, x: float, y: float) -> Point:
        """Coordinates as given, in pixels."""
        return (x * self.width, y * self.height) if self.normalized else (x, y)

    def x_percent(self, x: float) -> float:
        """Pixels across, as percent of the width."""
        return percent(x, self.width)

    def y_percent(self, y: float) -> float:
        """Pixels down, as percent of the height."""
        return percent(y, self.height)

    @property
    def stored(self) -> dict[str, Any]:
        """The fields that Label Studio keeps beside the value of every region on an image."""
        return {"original_width": round(self.width), "original_height": round(self.height), "image_rotation": 0}

    def __str__(self) -> str:
        return f"the image, which is {self.width:g}x{self.height:g} pixels"


def percent(part: float, whole: float) -> float:
    """A part in percent; what rounding puts a hair beyond 0 or 100 is brought back."""
    found = 100 * part / whole
    if -1e-6 < found < 0:
        return 0.0
    return 100.0 if 100 < found < 100 + 1e-6 else found


def frame_of(region: Mapping[str, Any], size: Size | None) -> Frame:
    """The size of the image that a region is on.

    Raises:
        RegionError: neither the region nor the caller knows it.
    """
    if size is not None:
        return Frame.of(size)
    width, height = region.get("original_width"), region.get("original_height")
    if not width or not height:
        raise RegionError(f"{name_of(region)} does not say how large its image is; pass size=(width, height).")
    return Frame.of((width, height))


# --- boxes --------------------------------------------------------------------------------------------------


def box_given(frame: Frame, xyxy: Any, xywh: Any, cxcywh: Any) -> tuple[float, float, float, float]:
    """One box as (left, top, right, bottom) in pixels, from the one form in which it is given.

    Raises:
        RegionError: it is given in no form or several, is empty, or holds something that is no number.
    """
    forms = {"xyxy": xyxy, "xywh": xywh, "cxcywh": cxcywh}
    given = {form: box for form, box in forms.items() if box is not None}
    if len(given) != 1:
        raise RegionError(f"Pass one of xyxy=, xywh= and cxcywh=; got {', '.join(given) or 'none'}.")
    ((form, box),) = given.items()
    a, b, c, d = numbers(box, 4, f"the box {form}")
    if form == "xywh":
        c, d = a + c, b + d
    elif form == "cxcywh":
        a, b, c, d = a - c / 2, b - d / 2, a + c / 2, b + d / 2
    if c <= a or d <= b:
        raise RegionError(f"The box {form}={plain(box)} is empty: right must be beyond left, bottom beyond top.")
    return (*frame.in_pixels(a, b), *frame.in_pixels(c, d))


def visible(frame: Frame, box: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    """The part of a box that is inside the image.

    Raises:
        RegionError: there is none.
    """
    left, top, right, bottom = box
    cut = max(left, 0.0), max(top, 0.0), min(right, frame.width), min(bottom, frame.height)
    if cut[0] >= cut[2] or cut[1] >= cut[3]:
        shown = ", ".join(f"{value:g}" for value in box)
        raise RegionError(f"The box ({shown}) lies outside {frame}.")
    return cut


def turned(point: Point, around: Point, degrees: float) -> Point:
    """A point after turning it clockwise (as seen on an image, where y points down)."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    x, y = point[0] - around[0], point[1] - around[1]
    return around[0] + x * cos - y * sin, around[1] + x * sin + y * cos


def corners(box: tuple[float, float, float, float], rotation: float) -> list[Point]:
    """The corners of a box that is turned around its centre: top left, top right, bottom right, bottom left."""
    left, top, right, bottom = box
    around = ((left + right) / 2, (top + bottom) / 2)
    return [turned(p, around, rotation) for p in ((left, top), (right, top), (right, bottom), (left, bottom))]


def bounds(points: list[Point]) -> tuple[float, float, float, float]:
    """The smallest upright box around points."""
    xs, ys = zip(*points, strict=True)
    return min(xs), min(ys), max(xs), max(ys)


def rectangle_value(frame: Frame, box: tuple[float, float, float, float], rotation: Any) -> dict[str, float]:
    """A box, turned around its centre, as Label Studio stores it.

    An upright box is cut at the image's border. A turned one is stored from another of its corners if the first
    is outside: the shape stays exact. Where no corner will do, the visible part of what bounds it is stored.
    """
    degrees = finite(rotation, "the rotation") % 360
    if degrees == 0:
        left, top, right, bottom = visible(frame, box)
        return _stored(frame, (left, top), right - left, bottom - top, 0.0)
    around = corners(box, degrees)
    cut = visible(frame, bounds(around))
    width, height = box[2] - box[0], box[3] - box[1]
    for turn, corner in enumerate(around):  # the same shape, seen from each corner
        sides = (width, height) if turn % 2 == 0 else (height, width)
        value = _stored(frame, corner, *sides, (degrees + 90 * turn) % 360)
        if all(0 <= value[field] <= 100 for field in ("x", "y", "width", "height")):
            return value
    return _stored(frame, (cut[0], cut[1]), cut[2] - cut[0], cut[3] - cut[1], 0.0)


def _stored(frame: Frame, corner: Point, width: float, height: float, rotation: float) -> dict[str, float]:
    return {
        "x": frame.x_percent(corner[0]),
        "y": frame.y_percent(corner[1]),
        "width": frame.x_percent(width),
        "height": frame.y_percent(height),
        "rotation": rotation,
    }


def rectangle_read(
    frame: Frame, stored: Mapping[str, Any], whose: str
) -> tuple[tuple[float, float, float, float], float]:
    """The box in pixels, upright around its own centre, and its rotation around that, from a stored value.

    Raises:
        RegionError: a number is missing or is none.
    """
    missing = [field for field in ("x", "y", "width", "height") if field not in stored]
    if missing:
        raise RegionError(f"{whose} has no {missing[0]!r}.")
    x, y, width, height = (finite(stored[field], f"{whose}: {field!r}") for field in ("x", "y", "width", "height"))
    degrees = finite(stored.get("rotation") or 0, f"{whose}: 'rotation'")
    left, top = x * frame.width / 100, y * frame.height / 100
    across, down = width * frame.width / 100, height * frame.height / 100
    if degrees == 0:
        return (left, top, left + across, top + down), 0.0
    centre_x, centre_y = turned((left + across / 2, top + down / 2), (left, top), degrees)
    return (centre_x - across / 2, centre_y - down / 2, centre_x + across / 2, centre_y + down / 2), degrees


# --- polygons -----------------------------------------------------------------------------------------------


def points_given(frame: Frame, points: Any) -> list[Point]:
    """Points in pixels from an (n, 2) array or OpenCV's (n, 1, 2).

    Raises:
        RegionError: it has another shape, or holds something that is no number.
    """
    listed = plain(points)
    if not isinstance(listed, list):
        raise RegionError(f"The points must be (n, 2) or (n, 1, 2) numbers, not {listed!r}.")
    return [frame.in_pixels(*numbers(point, 2, f"point {index}")) for index, point in enumerate(listed)]


def cut_polygon(frame: Frame, points: list[Point]) -> list[Point]:
    """The part of a polygon inside the image: cut at one border after the other (Sutherland and Hodgman)."""
    for axis, limit, sign in ((0, 0.0, 1), (0, frame.width, -1), (1, 0.0, 1), (1, frame.height, -1)):
        kept: list[Point] = []
        for index, point in enumerate(points):
            before = points[index - 1]
            inside, was_inside = sign * (point[axis] - limit) >= 0, sign * (before[axis] - limit) >= 0
            if inside != was_inside:
                share = (limit - before[axis]) / (point[axis] - before[axis])
                other = before[1 - axis] + share * (point[1 - axis] - before[1 - axis])
                kept.append((limit, other) if axis == 0 else (other, limit))
            if inside:
                kept.append(point)
        points = kept
    return points
