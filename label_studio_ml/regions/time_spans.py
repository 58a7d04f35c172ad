"""Spans of audio and of time series, and their readers. Runs in the author's process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import RegionError
from .region import (
    Found,
    Labels,
    Region,
    build,
    finite,
    found_in,
    label_list,
    name_of,
    plain,
    stored_number,
    value_of,
)


@dataclass(frozen=True, kw_only=True)
class TimeSpan(Found):
    """A span of audio, in seconds, or of a time series, in values of its time column."""

    start: float | str
    end: float | str
    channel: int = 0
    """Of audio: the channel, from 0."""


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
