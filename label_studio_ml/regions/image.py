"""Rectangles, polygons, ellipses, key points and words on images, and their readers.

Runs in the author's process. Coordinates are pixels, or with `normalized=True` from 0 to 1.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import RegionError
from . import geometry
from .geometry import Frame, Point
from .region import (
    Found,
    Labels,
    Region,
    Size,
    build,
    finite,
    found_in,
    label_list,
    labelled,
    name_of,
    stored_number,
    value_of,
)


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


@dataclass(frozen=True, kw_only=True)
class Polygon(Found):
    """A polygon."""

    points: list[Point]
    """Its corners in pixels."""


@dataclass(frozen=True, kw_only=True)
class Ellipse(Found):
    """An ellipse."""

    center: Point
    """Its centre in pixels."""
    radii: tuple[float, float]
    """Half its width and half its height in pixels, before the turn."""
    rotation: float = 0.0
    """Degrees, clockwise around the centre."""


@dataclass(frozen=True, kw_only=True)
class KeyPoint(Found):
    """A point."""

    xy: Point
    """Where it is, in pixels."""
    positive: bool = True
    """False for a click that says "not here" (interactive predictions)."""


@dataclass(frozen=True, kw_only=True)
class Word(Box):
    """A box with the text in it."""

    text: str


# --- rectangles ---------------------------------------------------------------------------------------------


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


# --- polygons -----------------------------------------------------------------------------------------------


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


# --- ellipses -----------------------------------------------------------------------------------------------


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


# --- key points ---------------------------------------------------------------------------------------------


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


# --- words --------------------------------------------------------------------------------------------------


def ocr(
    from_name: str,
    to_name: str,
    label: Labels | None = None,
    *,
    text: str,
    text_name: str,
    label_name: str | None = None,
    size: Size,
    xyxy: Any = None,
    xywh: Any = None,
    cxcywh: Any = None,
    rotation: Any = 0,
    normalized: bool = False,
    score: Any = None,
    id: str | None = None,  # noqa: A002
) -> list[Region]:
    """A word: a box and the text in it, which share an id. Put all of them into the result.

    Args:
        from_name: name of the `Rectangle`, or `RectangleLabels`.
        to_name: name of the image tag.
        label: label or labels.
        text: what the word reads.
        text_name: name of the `TextArea` with `perRegion="true"`.
        label_name: name of the `Labels` tag, where boxes are drawn with a plain `Rectangle` beside it.
        size: (width, height) of the image in pixels.
        xyxy: (left, top, right, bottom): a tuple, an array or a tensor.
        xywh: or (left, top, width, height).
        cxcywh: or (centre x, centre y, width, height).
        rotation: degrees, clockwise around the centre.
        normalized: coordinates are from 0 to 1 instead of pixels.
        score: how sure the model is, 0 to 1.
        id: the id that the parts share; made up if not given.

    Raises:
        RegionError: as `rectangle`.

    >>> for part in ocr("box", "page", text="Total", text_name="read", xywh=(0, 0, 50, 10), size=(100, 100)):
    ...     print(part["from_name"], part["type"], part["value"])
    box rectangle {'x': 0.0, 'y': 0.0, 'width': 50.0, 'height': 10.0, 'rotation': 0.0}
    read textarea {'x': 0.0, 'y': 0.0, 'width': 50.0, 'height': 10.0, 'rotation': 0.0, 'text': ['Total']}
    """
    frame = Frame.of(size, normalized=normalized)
    shape = geometry.rectangle_value(frame, geometry.box_given(frame, xyxy, xywh, cxcywh), rotation)
    kind, labels = labelled("rectangle", None if label_name else label)
    parts: list[tuple[str, str, dict[str, Any]]] = [(from_name, kind, {**shape, **labels})]
    if label_name and label is not None:
        parts.append((label_name, "labels", {**shape, "labels": label_list(label)}))
    parts.append((text_name, "textarea", {**shape, "text": [text]}))
    shared = id or uuid.uuid4().hex[:10]
    return [
        build(name, to_name, kind, value, score=score, id=shared, **frame.stored) for name, kind, value in parts
    ]


def read_ocr(result: Iterable[Mapping[str, Any]], text_name: str, *, size: Size | None = None) -> list[Word]:
    """The words in a result: every box that has a text.

    Args:
        result: the `result` of an annotation.
        text_name: name of the `TextArea` with `perRegion="true"`.
        size: (width, height) of the image; by default what the regions say.

    Raises:
        RegionError: a part is not as `ocr` makes it.
    """
    parts: dict[Any, list[Mapping[str, Any]]] = {}
    for region in result:
        parts.setdefault(region.get("id"), []).append(region)
    words = []
    for regions in parts.values():
        text = next((region for region in regions if region.get("from_name") == text_name), None)
        if text is None:
            continue
        found = found_in(text)
        for region in regions:
            found["labels"] = found["labels"] or found_in(region)["labels"]
        box = read_rectangle(text, size=size)
        lines = value_of(text, "text")["text"]
        read = lines if isinstance(lines, str) else "\n".join(str(line) for line in lines)
        words.append(Word(**found, xyxy=box.xyxy, rotation=box.rotation, text=read))
    return words
