"""The smallest backend: it predicts at random, and counts the annotations it is told about."""

from __future__ import annotations

import random
from typing import Any

from label_studio_ml.model import LabelStudioMLBase


class DummyModel(LabelStudioMLBase):
    """Picks a random label of the first control in the labeling config that it knows how to fill."""

    def predict(
        self, tasks: list[dict[str, Any]], context: dict[str, Any] | None = None, **kwargs: Any
    ) -> list[dict[str, Any]]:
        return [self.random_prediction() for _ in tasks]

    def random_prediction(self) -> dict[str, Any]:
        for from_name, control in self.parsed_label_config.items():
            label = random.choice(control["labels"] or [""])
            if control["type"] == "Choices":
                value: dict[str, Any] = {"choices": [label]}
            elif control["type"] == "RectangleLabels":  # numbers are percent of the image
                value = {"x": 25, "y": 25, "width": 50, "height": 50, "rectanglelabels": [label]}
            else:
                continue
            region = {
                "from_name": from_name,
                "to_name": control["to_name"][0],
                "type": control["type"].lower(),
                "value": value,
            }
            return {"result": [region], "score": random.random()}
        return {"result": [], "score": 0.0}

    def fit(self, event: str, data: Any = None, **kwargs: Any) -> None:
        """Called for every annotation. What is stored with `set()` makes a new version of the model."""
        self.set("annotations_seen", (self.get("annotations_seen") or 0) + 1)
