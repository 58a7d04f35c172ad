"""Spans of audio and time series, boxes and ranges in videos, and their readers.

Runs in the author's process. Frames are counted from 0, as decoders do; Label Studio stores them from 1.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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
    plain,
    stored_number,
    value_of,
    whole,
)


@dataclass(frozen=True, kw_only=True)
class TimeSpan(Found):
    """A span of audio, in seconds, or of a time series, in values of its time column."""

    start: float | str
    end: float | str
    channel: int = 0
    """Of audio: the channel, from 0."""


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


# --- audio --------------------------------------------------------------------------------------------------


def audio_span(
    from_name: str,
    to_name: str,
    label: Labels,
    *,
    start: Any,
    end: Any,
    channel: int = 0,
    duration: Any = None,
    score: Any = None,
    id: str | None = None,  # noqa: A002
) -> Region:
    """A span for `Labels` on `Audio`. Where the duration is known, it is cut at both ends of the audio.

    Args:
        from_name: name of the control tag.
        to_name: name of the audio tag.
        label: label or labels.
        start: where it begins, in seconds.
        end: where it ends, in seconds.
        channel: the channel, from 0.
        duration: how long the whole audio is, in seconds.
        score: how sure the model is, 0 to 1.
        id: the region's id; made up if not given.

    Raises:
        RegionError: the span is empty, lies outside the audio or is no number.

    >>> audio_span("sound", "audio", "Speech", start=0.5, end=2, duration=10)["value"]
    {'start': 0.5, 'end': 2.0, 'channel': 0, 'labels': ['Speech']}
    """
    first, last = finite(start, "the start of a span"), finite(end, "the end of a span")
    beside = {} if duration is None else {"original_length": finite(duration, "the duration")}
    cut = max(first, 0.0), min(last, beside.get("original_length", last))
    if cut[0] >= cut[1]:
        raise RegionError(f"The span from {first:g} s to {last:g} s is empty or lies outside the audio.")
    value = {"start": cut[0], "end": cut[1], "channel": channel, "labels": label_list(label)}
    return build(from_name, to_name, "labels", value, score=score, id=id, **beside)


def read_audio_span(region: Mapping[str, Any]) -> TimeSpan:
    """The span of a region that `audio_span` makes, in seconds.

    Raises:
        RegionError: it is no such region.
    """
    channel = value_of(region).get("channel") or 0
    return TimeSpan(
        **found_in(region), start=stored_number(region, "start"), end=stored_number(region, "end"), channel=channel
    )


# --- time series --------------------------------------------------------------------------------------------


def time_series_span(
    from_name: str,
    to_name: str,
    label: Labels,
    *,
    start: Any,
    end: Any,
    score: Any = None,
    id: str | None = None,  # noqa: A002
) -> Region:
    """A span for `TimeSeriesLabels` on `TimeSeries`. An instant is a span that ends where it starts.

    Args:
        from_name: name of the control tag.
        to_name: name of the time series tag.
        label: label or labels.
        start: the value of the time column where it begins: a number, or where the tag has a `timeFormat` a
            string of that form.
        end: the value where it ends.
        score: how sure the model is, 0 to 1.
        id: the region's id; made up if not given.

    Raises:
        RegionError: the end is before the start, or one is neither number nor string.

    >>> time_series_span("state", "series", "Run", start=10, end=20.5)["value"]
    {'start': 10, 'end': 20.5, 'instant': False, 'timeserieslabels': ['Run']}
    """
    first, last = (_moment(value, f"the {edge} of a span") for edge, value in (("start", start), ("end", end)))
    if isinstance(first, str) != isinstance(last, str):
        raise RegionError(f"Start and end must be of one kind, not {first!r} and {last!r}.")
    if not isinstance(first, str) and not isinstance(last, str) and last < first:
        raise RegionError(f"The span from {first:g} to {last:g} ends before it starts.")
    value = {"start": first, "end": last, "instant": first == last, "timeserieslabels": label_list(label)}
    return build(from_name, to_name, "timeserieslabels", value, score=score, id=id)


def _moment(value: Any, what: str) -> float | str:
    value = plain(value)
    if isinstance(value, str):
        return str(value)  # NumPy has strings of its own
    found = finite(value, what)
    return value if isinstance(value, int) else found  # time stamps in nanoseconds are beyond floats


def read_time_series_span(region: Mapping[str, Any]) -> TimeSpan:
    """The span of a region that `time_series_span` makes.

    Raises:
        RegionError: it is no such region.
    """
    value = value_of(region, "start", "end")
    start, end = (_moment(value[edge], f"{name_of(region)}: {edge!r}") for edge in ("start", "end"))
    return TimeSpan(**found_in(region), start=start, end=end)


# --- video --------------------------------------------------------------------------------------------------


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
    frame, rate, count = Frame.of(size, normalized=normalized), finite(fps, "fps"), whole(frames, "frames")
    if rate <= 0:
        raise RegionError(f"The fps must be more than 0, not {rate:g}.")
    given = {whole(index, "a frame"): index for index in xyxy or xywh or cxcywh or {}}
    if not given:
        raise RegionError("A video rectangle needs a box in one frame at least; pass xyxy={frame: box}.")
    seen = sorted(given)
    if seen[0] < 0 or seen[-1] >= count:
        raise RegionError(f"Frames are from 0 to {count - 1} in a video of {count}; got {seen[0]} to {seen[-1]}.")
    sequence = []
    for index, following in zip(seen, [*seen[1:], None], strict=True):
        key = given[index]
        box = geometry.box_given(frame, *(form and form.get(key) for form in (xyxy, xywh, cxcywh)))
        sequence.append(
            {
                **geometry.rectangle_value(frame, box, (rotation or {}).get(key, 0)),
                "frame": index + 1,
                "time": (index + 1) / rate,
                "enabled": following is not None and following - index <= stride,
            }
        )
    value: dict[str, Any] = {"framesCount": count, "duration": count / rate, "sequence": sequence}
    if label is not None:
        value["labels"] = label_list(label)
    return build(from_name, to_name, "videorectangle", value, score=score, id=id)


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
