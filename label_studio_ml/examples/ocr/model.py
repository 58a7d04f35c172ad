"""Reads text on images with PP-OCR (rapidocr, ONNX): a box for each line, and what it says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageOps
from rapidocr import RapidOCR

from label_studio_ml import regions
from label_studio_ml.model import LabelStudioMLBase

UPRIGHT = 3.0
"""Degrees: a line that is turned by less gets a box without rotation."""


class Ocr(LabelStudioMLBase):
    """Fills `RectangleLabels` (or `Rectangle`) and a `TextArea` for each of their regions on an `Image`."""

    def setup(self) -> None:
        """Read the labeling config, and load the networks, which come with the package."""
        boxes = ("RectangleLabels", "Rectangle")
        self.from_name, self.to_name, self.value = self.get_first_tag_occurence(boxes, "Image")
        areas = [control for control in self.label_interface.controls if control.tag == "TextArea"]
        fitting = [one.name for one in areas if self.to_name in one.to_name and one.attr.get("perRegion") == "true"]
        if not fitting:
            raise ValueError(f'What is read needs a TextArea with perRegion="true" on {self.to_name!r}.')
        self.text_name = fitting[0]
        control = self.label_interface.get_control(self.from_name)
        self.label: str | None = None
        if control.tag == "RectangleLabels":
            named = self.build_label_map(self.from_name, ["Text"])
            self.label = named.get("Text") or next(iter(control.labels))
        self.engine = RapidOCR(params={"Global.log_level": "error"})

    def predict(
        self, tasks: list[dict[str, Any]], context: dict[str, Any] | None = None, **kwargs: Any
    ) -> Iterator[dict[str, Any]]:
        """Predict the lines of each image. What is raised for a task costs it alone its prediction."""
        self.prefetch(tasks, self.value)
        for task in tasks:
            yield self.lines(task)

    def lines(self, task: Mapping[str, Any]) -> dict[str, Any]:
        """Box and text of each line; the task's score is that of the least certain one."""
        path = self.get_local_path(task["data"][self.value], task_id=task.get("id"))
        with Image.open(path) as image:
            upright = ImageOps.exif_transpose(image).convert("RGB")
        found = self.engine(np.asarray(upright)[:, :, ::-1])  # OpenCV's order of colours
        if found.boxes is None:
            return {"result": [], "score": 1.0}
        result = []
        for corners, text, score in zip(found.boxes, found.txts, found.scores, strict=True):
            box, rotation = placed(corners)
            result += regions.ocr(
                self.from_name,
                self.to_name,
                self.label,
                text=text,
                text_name=self.text_name,
                cxcywh=box,
                rotation=rotation,
                size=upright.size,
                score=score,
            )
        return {"result": result, "score": float(min(found.scores))}


def placed(corners: Any) -> tuple[tuple[float, float, float, float], float]:
    """(centre x, centre y, width, height) and degrees, clockwise, of four corners that begin at the top left."""
    points = np.asarray(corners, np.float32)
    along = points[1] - points[0]
    angle = float(np.degrees(np.arctan2(along[1], along[0])))
    if abs(angle) < UPRIGHT:
        left, top = points.min(axis=0).tolist()
        right, bottom = points.max(axis=0).tolist()
        return ((left + right) / 2, (top + bottom) / 2, right - left, bottom - top), 0.0
    (x, y), (first, second), _ = cv2.minAreaRect(points)
    wide = float(np.linalg.norm(along)) >= float(np.linalg.norm(points[2] - points[1]))
    return (x, y, *sorted((first, second), reverse=wide)), angle
