"""Masks on images: from a click, a box or a scribble at once (OpenCV GrabCut), and learned from finished masks."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import cv2
import joblib
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps
from skimage.feature import multiscale_basic_features
from sklearn.ensemble import RandomForestClassifier

from label_studio_ml import regions
from label_studio_ml.model import LabelStudioMLBase

logger = logging.getLogger(__name__)

Picture = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Prediction = dict[str, Any]

LARGEST = 800
"""Pixels of the longer side that the models see; larger images are scaled down."""

A_CLICK = 0.02
"""What surely belongs to what was clicked: this part of the image's longer side around the point."""

ITS_SURROUNDINGS = 0.2
"""What probably belongs to it."""

FRAME = 0.01
"""How wide the edge of an image is that is never part of what was clicked."""

PIXELS = 1500
"""Pixels of each label, and of none, that are learned from in an image."""

TOOLS = {"keypointlabels": "KeyPointLabels", "rectanglelabels": "RectangleLabels", "brushlabels": "BrushLabels"}


class ScribbleSegmenter(LabelStudioMLBase):
    """Fills the first `BrushLabels` on an `Image`; `KeyPointLabels` and `RectangleLabels` are its tools."""

    def setup(self) -> None:
        """Read the labeling config, and load the forest that `fit()` saved if there was a training."""
        self.from_name, self.to_name, self.value = self.get_first_tag_occurence("BrushLabels", "Image")
        self.labels = list(self.label_interface.get_control(self.from_name).labels)
        self.forest = joblib.load(self.train_output["model_path"]) if self.train_output else None

    def predict(
        self, tasks: list[dict[str, Any]], context: dict[str, Any] | None = None, **kwargs: Any
    ) -> list[Prediction | list[Prediction]]:
        """Predict a mask for what was just clicked or drawn; without that, what was learned, if anything."""
        clicked = (context or {}).get("result") or []
        if clicked:
            return [self.cut_out(task, clicked[-1]) for task in tasks]
        self.prefetch(tasks, self.value)
        return [self.learned(task) if self.forest is not None else [] for task in tasks]

    def read(self, task: Mapping[str, Any]) -> tuple[Picture, tuple[int, int]]:
        """The image of a task, scaled down if need be, and its size before that."""
        path = self.get_local_path(task["data"][self.value], task_id=task.get("id"))
        with Image.open(path) as image:
            upright = ImageOps.exif_transpose(image).convert("RGB")
        size = upright.size
        upright.thumbnail((LARGEST, LARGEST), Image.Resampling.BILINEAR)
        return np.asarray(upright), size

    def cut_out(self, task: Mapping[str, Any], region: Mapping[str, Any]) -> Prediction | list[Prediction]:
        """The object that a click, a box or a scribble means."""
        picture, size = self.read(task)
        hint = hints(region, (picture.shape[0], picture.shape[1]))
        if not np.isin(hint, (cv2.GC_BGD, cv2.GC_PR_BGD)).any():
            return []
        cv2.grabCut(picture, hint, None, np.zeros((1, 65)), np.zeros((1, 65)), 4, cv2.GC_INIT_WITH_MASK)
        found = joined(np.isin(hint, (cv2.GC_FGD, cv2.GC_PR_FGD)), hint == cv2.GC_FGD)
        label = next(iter(region["value"].get(region["type"]) or self.labels))
        label = label if label in self.labels else self.labels[0]
        return {"result": self.masks({label: found}, size), "score": 1.0}

    def learned(self, task: Mapping[str, Any]) -> Prediction:
        """The label of each pixel, as the forest knows it; only labels that the config still has."""
        assert self.forest is not None
        picture, size = self.read(task)
        seen = features(picture)
        likely = self.forest.predict_proba(seen.reshape(-1, seen.shape[2])).reshape(*seen.shape[:2], -1)
        smooth = cv2.GaussianBlur(likely, (0, 0), 2).reshape(likely.shape)
        best = smooth.argmax(axis=2)
        found = {
            str(label): best == number for number, label in enumerate(self.forest.classes_) if label in self.labels
        }
        return {"result": self.masks(found, size), "score": float(smooth.max(axis=2).mean())}

    def masks(self, found: Mapping[str, Mask], size: tuple[int, int]) -> list[dict[str, Any]]:
        """A region for each mask that is not empty, as large as the image."""
        large = {
            label: cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
            for label, mask in found.items()
            if mask.any()
        }
        return [regions.brush(self.from_name, self.to_name, label, mask=mask) for label, mask in large.items()]

    def fit(  # LabelStudioMLBase knows two forms of fit()
        self, annotations: Iterable[dict[str, Any]], workdir: str | None = None, **kwargs: Any
    ) -> dict[str, Any] | None:
        """Train a forest on the pixels of all finished masks; what has no label teaches what is none."""
        chance, rows, targets, images = np.random.default_rng(0), [], [], 0
        for task, found in regions.annotated_tasks(annotations, self.from_name):
            if not found:
                continue
            try:
                picture, _ = self.read(task)
            except Exception as error:  # noqa: BLE001 - an image that cannot be read costs its own task alone
                logger.warning("Task %s is left out: %s", task.get("id"), error)
                continue
            height, width, _ = picture.shape
            labels = np.full((height, width), "", dtype=object)
            for drawn in map(regions.read_brush, found):
                labels[scaled(drawn.mask, (height, width))] = drawn.label
            seen = features(picture)
            for label in np.unique(labels.astype(str)):
                places = np.argwhere(labels == label)
                some = chance.choice(places, min(PIXELS, len(places)), replace=False)
                rows.append(seen[some[:, 0], some[:, 1]])
                targets += [label] * len(some)
            images += 1
            self.progress(images=images)
        if not images:
            logger.info("Not training yet: no image that can be read has a mask.")
            return None
        forest = RandomForestClassifier(50, min_samples_leaf=3, oob_score=True, n_jobs=-1, random_state=0)
        forest.fit(np.concatenate(rows), targets)
        forest.n_jobs = 1
        model_path = str(Path(workdir or ".") / "forest.joblib")
        joblib.dump(forest, model_path)
        logger.info("Trained on %d images; accuracy of pixels %.3f.", images, forest.oob_score_)
        return {"model_path": model_path, "images": images, "accuracy": float(forest.oob_score_)}


def hints(region: Mapping[str, Any], shape: tuple[int, int]) -> Picture:
    """What a region says about each pixel, in the codes of GrabCut."""
    height, width = shape
    value, hint = region["value"], np.full(shape, cv2.GC_BGD, np.uint8)
    if region["type"] == "brushlabels":
        drawn = scaled(regions.read_brush(region).mask, shape)
        hint[:] = cv2.GC_PR_BGD
        hint[drawn] = cv2.GC_FGD
        return hint
    x, y = value["x"] * width / 100, value["y"] * height / 100
    if region["type"] == "rectanglelabels":
        end = (x + value["width"] * width / 100, y + value["height"] * height / 100)
        hint[int(y) : int(end[1]) + 1, int(x) : int(end[0]) + 1] = cv2.GC_PR_FGD
        middle = (round((x + end[0]) / 2), round((y + end[1]) / 2))
        sides = (max(1, round((end[0] - x) / 8)), max(1, round((end[1] - y) / 8)))
        cv2.ellipse(hint, middle, sides, 0, 0, 360, cv2.GC_FGD, -1)
        return hint
    if region["type"] != "keypointlabels":
        raise ValueError(f"A {region['type']} region says nothing to this model; use {', '.join(TOOLS.values())}.")
    # A thin frame is surely not meant; all that is inside it may be, for the object may be large.
    frame = max(1, int(FRAME * max(shape)))
    hint[frame:-frame, frame:-frame] = cv2.GC_PR_BGD
    place = (int(x), int(y))
    cv2.circle(hint, place, int(ITS_SURROUNDINGS * max(shape)), cv2.GC_PR_FGD, -1)
    cv2.circle(hint, place, max(1, int(A_CLICK * max(shape))), cv2.GC_FGD, -1)
    return hint


def joined(mask: Mask, sure: Mask) -> Mask:
    """The parts of a mask that hang together with what is sure; all of it, if nothing is."""
    _, parts = cv2.connectedComponents(mask.astype(np.uint8))
    wanted = np.unique(parts[sure & mask])
    return np.isin(parts, wanted[wanted > 0]) if len(wanted) else mask


def scaled(mask: Mask, shape: tuple[int, int]) -> Mask:
    """A mask of another size."""
    resized: Mask = cv2.resize(mask.astype(np.uint8), shape[::-1], interpolation=cv2.INTER_NEAREST).astype(bool)
    return resized


def features(picture: Picture) -> NDArray[np.float32]:
    """Colours, edges and texture around each pixel: (height, width, n)."""
    found: NDArray[np.float32] = multiscale_basic_features(picture, sigma_max=8, channel_axis=-1)
    return found
