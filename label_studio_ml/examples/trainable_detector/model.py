"""Boxes on images by a detector for each label, trained from the boxes that people draw (dlib: HOG and SVM)."""

from __future__ import annotations

import logging
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import dlib
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from label_studio_ml import regions
from label_studio_ml.model import LabelStudioMLBase

logger = logging.getLogger(__name__)

WINDOW = 64
"""Side of the square that slides over an image, in pixels. Images are scaled so that objects fit it."""

LARGEST = 3000
"""Pixels of an image's longer side, after scaling."""

SMALL = 10
"""The per cent of objects that may be smaller than the window."""


SURE_ENOUGH = -0.3
"""How far an object may be on the wrong side of the border: a box too much is deleted faster than one is drawn."""


class TrainableDetector(LabelStudioMLBase):
    """Fills the first `RectangleLabels` on an `Image`. It is for things of one shape, seen from one side."""

    def setup(self) -> None:
        """Read the labeling config, and load the detectors that `fit()` saved if there was a training."""
        self.from_name, self.to_name, self.value = self.get_first_tag_occurence("RectangleLabels", "Image")
        trained = self.train_output["detectors"] if self.train_output else {}
        # The labeling config may have changed since: only labels that it still has can be predicted.
        known = [label for label in self.label_interface.get_control(self.from_name).labels if label in trained]
        self.labels, self.scale = known, self.train_output["scale"] if known else 1.0
        self.detectors = [dlib.fhog_object_detector(trained[label]) for label in known]

    def predict(
        self, tasks: list[dict[str, Any]], context: dict[str, Any] | None = None, **kwargs: Any
    ) -> Iterator[dict[str, Any] | list[Any]]:
        """Predict the boxes on each image; before any training nothing. What is raised costs its task alone."""
        self.prefetch(tasks, self.value)
        for task in tasks:
            yield self.boxes(task) if self.detectors else []

    def boxes(self, task: Mapping[str, Any]) -> dict[str, Any]:
        """Everything that a detector finds; its score is how far it is on the right side, from 0 to 1."""
        pixels, scale, size = self.read(task, self.scale)
        found, sure, which = dlib.fhog_object_detector.run_multiple(self.detectors, pixels, 0, SURE_ENOUGH)
        scores = [float(1 / (1 + np.exp(-3 * margin))) for margin in sure]
        result = []
        for box, label, score in zip(found, which, scores, strict=True):
            edges = [edge / scale for edge in (box.left(), box.top(), box.right() + 1, box.bottom() + 1)]
            names = self.from_name, self.to_name, self.labels[label]
            result.append(regions.rectangle(*names, xyxy=edges, size=size, score=score))
        return {"result": result, "score": min(scores, default=0.0)}

    def read(self, task: Mapping[str, Any], scale: float) -> tuple[NDArray[np.uint8], float, tuple[int, int]]:
        """The image of a task in grey, scaled; by how much; and its size before that."""
        path = self.get_local_path(task["data"][self.value], task_id=task.get("id"))
        with Image.open(path) as image:
            grey = ImageOps.exif_transpose(image).convert("L")
        scale = min(scale, LARGEST / max(grey.size))
        width, height = (max(1, round(side * scale)) for side in grey.size)
        return np.asarray(grey.resize((width, height), Image.Resampling.BILINEAR)), scale, grey.size

    def fit(  # LabelStudioMLBase knows two forms of fit()
        self, annotations: Iterable[dict[str, Any]], workdir: str | None = None, **kwargs: Any
    ) -> dict[str, Any] | None:
        """Train a detector for each label. Images on which a label was not drawn show where it is not."""
        drawn = [
            (task, [regions.read_rectangle(region) for region in found])
            for task, found in regions.annotated_tasks(annotations, self.from_name)
        ]
        sides = [min(box.xywh[2:]) for _, boxes in drawn for box in boxes]
        if not sides:
            logger.info("Not training yet: no box on %d images.", len(drawn))
            return None
        scale = min(3.0, WINDOW / float(np.percentile(sides, SMALL)))
        images, boxes_of = [], defaultdict(list)
        for task, boxes in drawn:
            try:
                pixels, own, _ = self.read(task, scale)
            except Exception as error:  # noqa: BLE001 - an image that cannot be read costs its own task alone
                logger.warning("Task %s is left out: %s", task.get("id"), error)
                continue
            images.append(pixels)
            for label in {box.label for box in boxes}:
                theirs = [box.xyxy for box in boxes if box.label == label]
                scaled = [dlib.rectangle(*(round(edge * own) for edge in edges)) for edges in theirs]
                boxes_of[label].append((len(images) - 1, scaled))
        detectors = {}
        for number, (label, places) in enumerate(sorted(boxes_of.items()), 1):
            rectangles: list[list[dlib.rectangle]] = [[] for _ in images]
            for place, theirs in places:
                rectangles[place] = theirs
            path = Path(workdir or ".") / f"detector {number}.svm"
            try:
                dlib.train_simple_object_detector(images, rectangles, options()).save(str(path))
                detectors[str(label)] = str(path)
            except RuntimeError as error:
                # dlib wants boxes of similar shape; the other labels can do without this one.
                logger.warning("No detector for %s: %s", label, " ".join(str(error).split()))
            self.progress(number / len(boxes_of), detectors=len(detectors))
        if not detectors:
            raise ValueError("No detector could be trained; the log says why for each label.")
        logger.info("Trained %d detectors on %d images.", len(detectors), len(images))
        return {"detectors": detectors, "scale": scale, "images": len(images)}


def options() -> dlib.simple_object_detector_training_options:
    """How to train: one window size, and images are not enlarged, because they have been scaled already."""
    chosen = dlib.simple_object_detector_training_options()
    chosen.detection_window_size = WINDOW * WINDOW
    chosen.add_left_right_image_flips = False
    chosen.upsample_limit = 1
    chosen.C = 3
    chosen.num_threads = max(1, (os.cpu_count() or 2) - 1)
    return chosen
