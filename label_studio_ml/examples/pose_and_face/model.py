"""Points of bodies and faces, and the outline of people, by MediaPipe."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import mediapipe as mp
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from label_studio_ml import regions
from label_studio_ml.model import LabelStudioMLBase

FACE = ["right eye", "left eye", "nose", "mouth", "right ear", "left ear"]
"""Points of every face; right and left are those of the person."""

BODY = [landmark.name.lower().replace("_", " ") for landmark in mp.solutions.pose.PoseLandmark]
"""Points of the most visible body."""

VISIBLE = 0.5
"""How sure the model must be that a point can be seen."""

LARGEST = 1600
"""Pixels of the longer side that the models see; larger images are scaled down."""


class PoseAndFace(LabelStudioMLBase):
    """Fills `KeyPointLabels` and `BrushLabels` on an `Image`, or one of them."""

    def setup(self) -> None:
        """Read the labeling config, and load the models that it needs; they come with the package."""
        controls = {one.tag: one for one in self.label_interface.controls}
        self.points, self.brush = controls.get("KeyPointLabels"), controls.get("BrushLabels")
        if not (self.points or self.brush):
            raise ValueError("PoseAndFace fills KeyPointLabels and BrushLabels on an Image; there is neither.")
        tag = "KeyPointLabels" if self.points else "BrushLabels"
        _, self.to_name, self.value = self.get_first_tag_occurence(tag, "Image")
        names = sorted({*FACE, *BODY})
        self.names = self.build_label_map(self.points.name, names) if self.points else {}
        self.person = ""
        if self.brush:
            named = self.build_label_map(self.brush.name, ["person"])
            self.person = named.get("person") or next(iter(self.brush.labels))
        solutions = mp.solutions
        self.faces = solutions.face_detection.FaceDetection(model_selection=1, min_detection_confidence=VISIBLE)
        self.body = solutions.pose.Pose(static_image_mode=True, model_complexity=1)
        self.outline = solutions.selfie_segmentation.SelfieSegmentation(model_selection=0)

    def predict(
        self, tasks: list[dict[str, Any]], context: dict[str, Any] | None = None, **kwargs: Any
    ) -> Iterator[dict[str, Any]]:
        """Predict points and masks for each image. What is raised for a task costs it alone its prediction."""
        self.prefetch(tasks, self.value)
        for task in tasks:
            picture, size = self.read(task)
            found: list[dict[str, Any]] = []
            if self.names:
                found += self.face_points(picture, size) + self.body_points(picture, size)
            if self.brush:
                found += self.mask(picture, size)
            yield {"result": found, "score": min((one.get("score", 1.0) for one in found), default=1.0)}

    def read(self, task: Mapping[str, Any]) -> tuple[NDArray[np.uint8], tuple[int, int]]:
        """The image of a task, scaled down if need be, and its size before that."""
        path = self.get_local_path(task["data"][self.value], task_id=task.get("id"))
        with Image.open(path) as image:
            upright = ImageOps.exif_transpose(image).convert("RGB")
        size = upright.size
        upright.thumbnail((LARGEST, LARGEST), Image.Resampling.BILINEAR)
        return np.asarray(upright), size

    def point(self, name: str, place: Any, size: tuple[int, int], score: float) -> list[dict[str, Any]]:
        """A region for a point that a label stands for and that is inside the image; else none."""
        if name not in self.names or not (0 <= place.x < 1 and 0 <= place.y < 1):
            return []
        assert self.points is not None
        names = self.points.name, self.to_name, self.names[name]
        return [regions.keypoint(*names, xy=(place.x, place.y), normalized=True, size=size, width=0.8, score=score)]

    def face_points(self, picture: NDArray[np.uint8], size: tuple[int, int]) -> list[dict[str, Any]]:
        found = []
        for face in self.faces.process(picture).detections or []:
            for name, place in zip(FACE, face.location_data.relative_keypoints, strict=True):
                found += self.point(name, place, size, float(face.score[0]))
        return found

    def body_points(self, picture: NDArray[np.uint8], size: tuple[int, int]) -> list[dict[str, Any]]:
        """Points of the body; those that faces have, too, come from there."""
        seen, found = self.body.process(picture).pose_landmarks, []
        for name, place in zip(BODY, seen.landmark if seen else [], strict=bool(seen)):
            if name not in FACE and place.visibility >= VISIBLE:
                found += self.point(name, place, size, float(place.visibility))
        return found

    def mask(self, picture: NDArray[np.uint8], size: tuple[int, int]) -> list[dict[str, Any]]:
        """The outline of all people together."""
        assert self.brush is not None
        likely = Image.fromarray(self.outline.process(picture).segmentation_mask).resize(size)
        people = np.asarray(likely) > VISIBLE
        if not people.any():
            return []
        return [regions.brush(self.brush.name, self.to_name, self.person, mask=people)]
