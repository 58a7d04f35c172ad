"""Regions of sound, video and time series."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from label_studio_ml import regions
from label_studio_ml.regions import RegionError
from tests.support.region_checks import refused

CONFIG = """
<View>
  <Audio name="audio" value="$audio"/>
  <Labels name="sound" toName="audio"><Label value="Speech"/></Labels>
  <TimeSeries name="series" value="$series"><Channel column="v"/></TimeSeries>
  <TimeSeriesLabels name="state" toName="series"><Label value="Run"/></TimeSeriesLabels>
  <Video name="video" value="$video"/>
  <VideoRectangle name="track" toName="video"/>
  <Labels name="vehicle" toName="video"><Label value="Car"/></Labels>
  <TimelineLabels name="action" toName="video"><Label value="Jump"/></TimelineLabels>
</View>
"""

seconds = st.floats(0, 1e5)


# --- audio and time series ---


@given(seconds, st.floats(1e-3, 1e3), st.integers(0, 3))
def test_a_span_of_audio_comes_back_as_it_was(start: float, length: float, channel: int) -> None:
    end = np.float64(start + length)
    region = regions.audio_span("sound", "audio", "Speech", start=start, end=end, channel=channel)
    assert refused(CONFIG, region) == []
    read = regions.read_audio_span(region)
    assert (read.start, read.end, read.channel, read.label) == (start, end, channel, "Speech")


def test_a_span_of_audio_is_cut_at_its_ends() -> None:
    region = regions.audio_span("sound", "audio", "Speech", start=-0.1, end=10.2, duration=10)
    assert (region["value"]["start"], region["value"]["end"], region["original_length"]) == (0, 10, 10)


@pytest.mark.parametrize(
    ("start", "end", "message"),
    [
        (2, 2, "from 2 s to 2 s is empty or lies outside the audio"),
        (-2, -1, "lies outside"),
        (10, 11, "lies outside"),
        (math.nan, 1, "The start of a span must be a finite number"),
    ],
)
def test_what_cannot_be_a_span_of_audio_is_refused(start: float, end: float, message: str) -> None:
    with pytest.raises(RegionError, match=message):
        regions.audio_span("sound", "audio", "Speech", start=start, end=end, duration=10)


@given(st.floats(-1e9, 1e9) | st.integers(-(10**19), 10**19), st.integers(0, 10**6))
def test_a_span_of_a_time_series_comes_back_as_it_was(start: float, length: int) -> None:
    end = start + length
    region = regions.time_series_span("state", "series", "Run", start=start, end=end)
    assert refused(CONFIG, region) == []
    read = regions.read_time_series_span(region)
    assert (read.start, read.end, read.label) == (start, end, "Run")
    assert region["value"]["instant"] is (start == end)


def test_a_time_series_with_a_format_has_strings() -> None:
    region = regions.time_series_span("state", "series", "Run", start="2024-01-01", end="2024-01-01")
    assert refused(CONFIG, region) == []
    assert region["value"]["instant"] is True
    assert regions.read_time_series_span(region).start == "2024-01-01"


@pytest.mark.parametrize(
    ("start", "end", "message"),
    [
        (3, 2, "from 3 to 2 ends before it starts"),
        (3, "4", "must be of one kind"),
        (None, 4, "The start of a span must be a number, not None"),
    ],
)
def test_what_cannot_be_a_span_of_a_time_series_is_refused(start: Any, end: Any, message: str) -> None:
    with pytest.raises(RegionError, match=message):
        regions.time_series_span("state", "series", "Run", start=start, end=end)


# --- video ---

video_boxes = st.tuples(st.integers(0, 300), st.integers(0, 200), st.integers(1, 20), st.integers(1, 40))


@given(st.dictionaries(st.integers(0, 99), video_boxes, min_size=1, max_size=10), st.sampled_from([24, 25, 29.97]))
def test_the_boxes_of_a_video_come_back_as_they_were(boxes: dict[int, Any], fps: float) -> None:
    region = regions.video_rectangle(
        "track", "video", "Car", xywh=boxes, size=(320, 240), fps=fps, frames=100, score=0.5
    )
    assert refused(CONFIG, region) == []
    track = regions.read_video_rectangle(region, size=(320, 240))
    assert sorted(track.xyxy) == sorted(boxes)
    for frame, (left, top, width, height) in boxes.items():
        assert track.xyxy[frame] == pytest.approx((left, top, left + width, top + height))
    assert (track.label, track.score) == ("Car", 0.5)


@given(st.dictionaries(st.integers(0, 40), video_boxes, min_size=1, max_size=12))
def test_an_object_is_shown_in_exactly_the_frames_in_which_it_was_seen(boxes: dict[int, Any]) -> None:
    region = regions.video_rectangle("track", "video", xywh=boxes, size=(320, 240), fps=25, frames=60)
    assert refused(CONFIG, region) == []
    shown = regions.read_video_rectangle(region, size=(320, 240), interpolate=True)
    assert sorted(shown.xyxy) == sorted(boxes)


def test_frames_in_between_are_in_straight_lines() -> None:
    region = regions.video_rectangle(
        "track", "video", xywh={0: (0, 0, 10, 10), 4: (8, 4, 10, 10)}, size=(100, 100), fps=25, frames=50, stride=4
    )
    shown = regions.read_video_rectangle(region, size=(100, 100), interpolate=True)
    assert sorted(shown.xyxy) == [0, 1, 2, 3, 4]
    assert shown.xyxy[1] == pytest.approx((2, 1, 12, 11))


def test_an_object_that_a_person_left_enabled_is_shown_until_the_end() -> None:
    region = regions.video_rectangle("track", "video", xywh={7: (0, 0, 1, 1)}, size=(9, 9), fps=25, frames=10)
    region["value"]["sequence"][0]["enabled"] = True
    assert sorted(regions.read_video_rectangle(region, size=(9, 9), interpolate=True).xyxy) == [7, 8, 9]


def test_turned_boxes_of_a_video_come_back_turned() -> None:
    boxes: Any = {np.int64(3): np.array([50, 50, 20, 10])}
    region = regions.video_rectangle(
        "track",
        "video",
        cxcywh=boxes,
        rotation={3: 30},
        size=(100, 100),
        fps=25,
        frames=10,
    )
    track = regions.read_video_rectangle(region, size=(100, 100))
    assert track.rotation == {3: 30}
    assert track.xyxy[3] == pytest.approx((40, 45, 60, 55))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "needs a box in one frame at least"),
        ({"xyxy": {10: (0, 0, 1, 1)}}, "Frames are from 0 to 9 in a video of 10; got 10 to 10"),
        ({"xyxy": {-1: (0, 0, 1, 1)}}, "Frames are from 0 to 9"),
        ({"xyxy": {0.5: (0, 0, 1, 1)}}, "A frame must be a whole number"),
        ({"xyxy": {0: (0, 0, 1, 1)}, "fps": 0}, "fps must be more than 0"),
        ({"xyxy": {0: (200, 0, 300, 1)}}, "lies outside the image"),
    ],
)
def test_what_cannot_be_boxes_of_a_video_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(RegionError, match=message):
        regions.video_rectangle("track", "video", **{"size": (100, 100), "fps": 25, "frames": 10, **arguments})


@given(st.integers(0, 1000), st.integers(1, 1000))
def test_a_range_of_frames_comes_back_as_it_was(start: int, length: int) -> None:
    region = regions.timeline("action", "video", "Jump", start=np.int64(start), end=start + length)
    assert refused(CONFIG, region) == []
    read = regions.read_timeline(region)
    assert (read.start, read.end, read.label) == (start, start + length, "Jump")


@pytest.mark.parametrize(("start", "end"), [(3, 3), (-1, 3), (4, 2)])
def test_an_empty_range_of_frames_is_refused(start: int, end: int) -> None:
    with pytest.raises(RegionError, match="must not be empty"):
        regions.timeline("action", "video", "Jump", start=start, end=end)


def test_a_broken_range_is_refused_and_the_region_named() -> None:
    region = regions.timeline("action", "video", "Jump", start=0, end=1, id="r1")
    region["value"]["ranges"] = []
    with pytest.raises(RegionError, match=r"Region 'r1' of 'action'.*has not one range"):
        regions.read_timeline(region)
