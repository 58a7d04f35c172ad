"""The smallest backend: it predicts at random, and counts the annotations it is told about."""

from __future__ import annotations

import random
from typing import Any

from label_studio_ml import regions
from label_studio_ml.model import LabelStudioMLBase


class DummyModel(LabelStudioMLBase):
    """Picks a random label of the first control in the labeling config that it knows how to fill."""

    def predict(
        self, tasks: list[dict[str, Any]], context: dict[str, Any] | None = None, **kwargs: Any
    ) -> list[dict[str, Any]]:
        return [self.random_prediction() for _ in tasks]

    def random_prediction(self) -> dict[str, Any]:
        for from_name, control in self.parsed_label_config.items():
            to_name, label = control["to_name"][0], random.choice(control["labels"] or [""])
            if control["type"] == "Choices":
                region = regions.choices(from_name, to_name, label)
            elif control["type"] == "RectangleLabels":
                region = regions.rectangle(from_name, to_name, label, xywh=(160, 120, 320, 240), size=(640, 480))
            else:
                continue
            return {"result": [region], "score": random.random()}
        return {"result": [], "score": 0.0}

    def fit(self, event: str, data: Any = None, **kwargs: Any) -> None:
        """Called for every annotation. What is stored with `set()` makes a new version of the model."""
        self.set("annotations_seen", (self.get("annotations_seen") or 0) + 1)
