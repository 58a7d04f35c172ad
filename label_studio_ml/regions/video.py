"""Objects and ranges of frames in videos, and their readers.

Runs in the author's process. Frames are counted from 0, as decoders do; Label Studio stores them from 1.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import RegionError
from . import geometry
from .geometry import Frame
from .region import (
    Found,
    Labels,
    Region,
    Size,
    build,
    finite,
    found_in,
    label_list,
    name_of,
    value_of,
    whole,
)


@dataclass(frozen=True, kw_only=True)
class Track(Found):
    """An object in a video."""

    xyxy: dict[int, tuple[float, float, float, float]]
    """By frame, counted from 0: left, top, right, bottom in pixels, before the turn."""
    rotation: dict[int, float]
    """By frame: degrees, clockwise around the centre."""


@dataclass(frozen=True, kw_only=True)
class FrameRange(Found):
    """Frames of a video, counted from 0, the end not included: `range(start, end)`."""

    start: int
    end: int


def video_rectangle(
    from_name: str,
    to_name: str,
    label: Labels | None = None,
    *,
    size: Size,
    fps: Any,
    frames: Any,
    xyxy: Mapping[int, Any] | None = None,
    xywh: Mapping[int, Any] | None = None,
    cxcywh: Mapping[int, Any] | None = None,
    rotation: Mapping[int, Any] | None = None,
    normalized: bool = False,
    stride: int = 1,
    score: Any = None,
    id: str | None = None,  # noqa: A002
) -> Region:
    """An object in a video, for `VideoRectangle`: its box in every frame in which it was seen.

    Label Studio goes from each box to the next in straight lines. Where frames further apart than `stride` follow
    each other, the object is gone in between; after its last frame, too.

    Args:
        from_name: name of the control tag.
        to_name: name of the video tag.
        label: label or labels, of the `Labels` tag beside it.
        size: (width, height) of the video in pixels.
        fps: frames a second, as in the tag's `frameRate`.
        frames: how many frames the video has.
        xyxy: {frame: (left, top, right, bottom)}; frames are counted from 0.
        xywh: or {frame: (left, top, width, height)}.
        cxcywh: or {frame: (centre x, centre y, width, height)}.
        rotation: {frame: degrees}, clockwise around the centre.
        normalized: coordinates are from 0 to 1 instead of pixels.
        stride: the model looked at every frame (1), every second (2) …
        score: how sure the model is, 0 to 1.
        id: the region's id; made up if not given.

    Raises:
        RegionError: there are no boxes, a frame is not in the video, or a box is as `rectangle` refuses it.

    >>> region = video_rectangle("box", "video", "Car", xyxy={0: (0, 0, 10, 10), 1: (2, 0, 12, 10)},
    ...                          size=(100, 100), fps=25, frames=50)
    >>> [(key["frame"], key["time"], key["x"], key["enabled"]) for key in region["value"]["sequence"]]
    [(1, 0.04, 0.0, True), (2, 0.08, 2.0, False)]
    """
    frame, rate, count = Frame.of(size, normalized=normalized), _rate(fps), whole(frames, "frames")
    shapes = _shapes(frame, count, (xyxy, xywh, cxcywh), rotation or {})
    value = {"framesCount": count, "duration": count / rate, "sequence": _sequence(shapes, rate, stride)}
    labels = {} if label is None else {"labels": label_list(label)}
    return build(from_name, to_name, "videorectangle", {**value, **labels}, score=score, id=id)


def _rate(fps: Any) -> float:
    rate = finite(fps, "fps")
    if rate <= 0:
        raise RegionError(f"The fps must be more than 0, not {rate:g}.")
    return rate


def _sequence(shapes: Mapping[int, dict[str, float]], rate: float, stride: int) -> list[dict[str, Any]]:
    """The boxes as Label Studio keeps them: when each is shown, and whether the object is still there after it."""
    following = [*list(shapes)[1:], math.inf]
    return [
        {**shape, "frame": at + 1, "time": (at + 1) / rate, "enabled": then - at <= stride}
        for (at, shape), then in zip(shapes.items(), following, strict=True)
    ]


def _shapes(
    frame: Frame, count: int, forms: Sequence[Mapping[int, Any] | None], rotation: Mapping[int, Any]
) -> dict[int, dict[str, float]]:
    """By frame of the video, in their order: the box in it as Label Studio stores it.

    Args:
        frame: how large the pictures are.
        count: how many frames the video has.
        forms: the boxes in each of the forms in which they may be given.
        rotation: degrees of each box.
    """
    given = {whole(index, "a frame"): index for index in next(filter(None, forms), {})}
    if not given:
        raise RegionError("A video rectangle needs a box in one frame at least; pass xyxy={frame: box}.")
    if min(given) < 0 or max(given) >= count:
        raise RegionError(
            f"Frames are from 0 to {count - 1} in a video of {count}; got {min(given)} to {max(given)}."
        )
    shapes = {}
    for index, key in sorted(given.items()):
        box = geometry.box_given(frame, *(form and form.get(key) for form in forms))
        shapes[index] = geometry.rectangle_value(frame, box, rotation.get(key, 0))
    return shapes


def read_video_rectangle(region: Mapping[str, Any], *, size: Size, interpolate: bool = False) -> Track:
    """The boxes of a region that `video_rectangle` makes, in pixels.

    Args:
        region: a region of `VideoRectangle`.
        size: (width, height) of the video in pixels, which the region does not say.
        interpolate: also the frames in between, in which Label Studio shows the object.

    Raises:
        RegionError: it is no such region.
    """
    value, frame = value_of(region, "sequence"), Frame.of(size)
    keys = sorted(value["sequence"], key=lambda key: whole(key.get("frame"), f"{name_of(region)}: a frame"))
    shown = list(_between(keys, value.get("framesCount"))) if interpolate else keys
    boxes, rotation = {}, {}
    for key in shown:
        index = int(key["frame"]) - 1
        boxes[index], rotation[index] = geometry.rectangle_read(frame, key, name_of(region))
    return Track(**found_in(region), xyxy=boxes, rotation=rotation)


def _between(keys: list[dict[str, Any]], count: int | None) -> Iterator[dict[str, Any]]:
    """Every frame in which an object is shown: straight lines between its keys while it is enabled."""
    for key, following in zip(keys, [*keys[1:], None], strict=True):
        yield key
        if not key.get("enabled", True):
            continue
        until = following["frame"] if following else (count or key["frame"]) + 1
        for frame in range(key["frame"] + 1, until):
            share = (frame - key["frame"]) / (until - key["frame"]) if following else 0.0
            target = following or key
            moved: dict[str, Any] = {
                field: key[field] + share * (target[field] - key[field])
                for field in ("x", "y", "width", "height", "rotation")
                if field in key and field in target
            }
            yield {**moved, "frame": frame}


def timeline(
    from_name: str,
    to_name: str,
    label: Labels,
    *,
    start: Any,
    end: Any,
    score: Any = None,
    id: str | None = None,  # noqa: A002
) -> Region:
    """A range of frames for `TimelineLabels` on `Video`.

    Args:
        from_name: name of the control tag.
        to_name: name of the video tag.
        label: label or labels.
        start: its first frame, counted from 0.
        end: the frame after its last.
        score: how sure the model is, 0 to 1.
        id: the region's id; made up if not given.

    Raises:
        RegionError: the range is empty, or begins before the video.

    >>> timeline("action", "video", "Jump", start=0, end=25)["value"]
    {'ranges': [{'start': 1, 'end': 25}], 'timelinelabels': ['Jump']}
    """
    first, after = whole(start, "the start of a range"), whole(end, "the end of a range")
    if not 0 <= first < after:
        raise RegionError(f"The range {first} to {after} must not be empty, and begin at 0 or later.")
    value = {"ranges": [{"start": first + 1, "end": after}], "timelinelabels": label_list(label)}
    return build(from_name, to_name, "timelinelabels", value, score=score, id=id)


def read_timeline(region: Mapping[str, Any]) -> FrameRange:
    """The frames of a region that `timeline` makes.

    Raises:
        RegionError: it is no such region, or has not exactly one range.
    """
    ranges = value_of(region, "ranges")["ranges"]
    if not isinstance(ranges, list) or len(ranges) != 1:
        raise RegionError(f"{name_of(region)} has not one range, but {ranges!r}.")
    start, end = (whole(ranges[0].get(edge), f"{name_of(region)}: {edge!r}") for edge in ("start", "end"))
    return FrameRange(**found_in(region), start=start - 1, end=end)
