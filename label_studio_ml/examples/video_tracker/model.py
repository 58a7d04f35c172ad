"""Boxes that follow an object through a video (OpenCV's MIL tracker), and where its shots begin (PySceneDetect)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import cycle
from typing import Any

import cv2
from scenedetect import ContentDetector, detect

from label_studio_ml import regions
from label_studio_ml.model import LabelStudioMLBase

Prediction = dict[str, Any]

FRAMES = 300
"""An object is followed this far from where its box was drawn; draw it again there to go on."""

SMALLEST = 8
"""Pixels that both sides of a box need, as the tracker sees it: OpenCV never comes back from a box of 4 by 4."""

SIDE = 480
"""Pixels of the longer side that the tracker sees; larger videos are scaled down."""


class VideoTracker(LabelStudioMLBase):
    """On a `Video`: follows the `VideoRectangle` that was just drawn, and fills `TimelineLabels` with shots."""

    def setup(self) -> None:
        """Read the labeling config."""
        tags = {control.tag: control for control in self.label_interface.controls}
        if not {"VideoRectangle", "TimelineLabels"} & set(tags):
            raise ValueError("VideoTracker fills VideoRectangle or TimelineLabels on a Video; there is neither.")
        control = tags.get("TimelineLabels") or tags["VideoRectangle"]
        _, self.to_name, self.value = self.get_first_tag_occurence(control.tag, "Video")
        self.timeline = tags.get("TimelineLabels")

    def predict(
        self, tasks: list[dict[str, Any]], context: dict[str, Any] | None = None, **kwargs: Any
    ) -> Iterator[Prediction | list[Any]]:
        """Predict the way of what was just drawn; without that, the shots. What is raised costs its task alone."""
        drawn = [region for region in (context or {}).get("result") or [] if region.get("type") == "videorectangle"]
        for task in tasks:
            path = self.get_local_path(task["data"][self.value], task_id=task.get("id"))
            if drawn:
                yield self.followed(path, drawn[-1])
            else:
                yield self.shots(path) if self.timeline else []

    def shots(self, path: str) -> Prediction:
        """The shots of a video; where there are several labels they take turns, so that people see the cuts."""
        assert self.timeline is not None
        with video(path) as (_, about):
            last = int(about["frames"])
        starts = [first.frame_num for first, _ in detect(path, ContentDetector())] or [0]
        ranges = zip(starts, [*starts[1:], last], cycle(self.timeline.labels))
        names = self.timeline.name, self.to_name
        result = [regions.timeline(*names, label, start=start, end=end) for start, end, label in ranges]
        return {"result": result, "score": 1.0}

    def followed(self, path: str, region: Mapping[str, Any]) -> Prediction:
        """The same region with a box in every frame, from the one in which it was drawn last."""
        with video(path) as (frames, about):
            width, height = int(about["width"]), int(about["height"])
            track = regions.read_video_rectangle(region, size=(width, height))
            first = max(track.xyxy)
            scale = min(1.0, SIDE / max(width, height))
            boxes, tracker = dict(track.xyxy), cv2.TrackerMIL.create()
            for number, frame in enumerate(frames):
                if number < first:
                    continue
                small = cv2.resize(frame, None, fx=scale, fy=scale)
                if number == first:
                    left, top, right, bottom = (round(edge * scale) for edge in boxes[first])
                    if min(right - left, bottom - top) < SMALLEST:
                        raise ValueError("The box is too small to be followed: draw a larger one.")
                    tracker.init(small, (left, top, right - left, bottom - top))
                    continue
                found, (x, y, w, h) = tracker.update(small)
                if not found or number > first + FRAMES:
                    break
                boxes[number] = (x / scale, y / scale, (x + w) / scale, (y + h) / scale)
        result = regions.video_rectangle(
            region["from_name"],
            self.to_name,
            track.labels or None,
            size=(width, height),
            fps=about["rate"],
            frames=int(about["frames"]),
            xyxy=boxes,
            id=track.id,
        )
        return {"result": [result], "score": 1.0}


@contextmanager
def video(path: str) -> Iterator[tuple[Iterator[Any], dict[str, float]]]:
    """The frames of a video, and its width, height, rate and number of frames.

    Raises:
        ValueError: it cannot be read.
    """
    reader = cv2.VideoCapture(path)
    try:
        about = {
            "width": reader.get(cv2.CAP_PROP_FRAME_WIDTH),
            "height": reader.get(cv2.CAP_PROP_FRAME_HEIGHT),
            "rate": reader.get(cv2.CAP_PROP_FPS),
            "frames": reader.get(cv2.CAP_PROP_FRAME_COUNT),
        }
        if not reader.isOpened() or min(about.values()) <= 0:
            raise ValueError("The file is no video that OpenCV can read.")
        yield frames_of(reader), about
    finally:
        reader.release()


def frames_of(reader: cv2.VideoCapture) -> Iterator[Any]:
    while True:
        there, frame = reader.read()
        if not there:
            return
        yield frame
