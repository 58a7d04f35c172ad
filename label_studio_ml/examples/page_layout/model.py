"""Titles, texts, figures and tables on pages, by PP-PicoDet (rapid-layout, ONNX)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from PIL import Image, ImageOps
from rapid_layout import RapidLayout

from label_studio_ml import regions
from label_studio_ml.model import LabelStudioMLBase

PARTS = [
    "text",
    "title",
    "figure",
    "figure_caption",
    "table",
    "table_caption",
    "header",
    "footer",
    "reference",
    "equation",
]
"""What the model knows: the classes of the data set CDLA."""


class PageLayout(LabelStudioMLBase):
    """Fills the first `RectangleLabels` on an `Image` with the parts of a page that the labels stand for."""

    def setup(self) -> None:
        """Read the labeling config, and load the network, which comes with the package."""
        self.from_name, self.to_name, self.value = self.get_first_tag_occurence("RectangleLabels", "Image")
        self.names = self.build_label_map(self.from_name, PARTS)
        if not self.names:
            raise ValueError(
                f"No label of {self.from_name!r} is a part of pages that the model knows. Name them like these, or "
                f"give them predicted_values: {', '.join(PARTS)}."
            )
        self.engine = RapidLayout(model_type="pp_layout_cdla", conf_thresh=0.4)

    def predict(
        self, tasks: list[dict[str, Any]], context: dict[str, Any] | None = None, **kwargs: Any
    ) -> Iterator[dict[str, Any]]:
        """Predict the parts of each page. What is raised for a task costs it alone its prediction."""
        self.prefetch(tasks, self.value)
        for task in tasks:
            yield self.parts(task)

    def parts(self, task: Mapping[str, Any]) -> dict[str, Any]:
        """A box for each part; the task's score is that of the least certain one."""
        path = self.get_local_path(task["data"][self.value], task_id=task.get("id"))
        with Image.open(path) as image:
            page = ImageOps.exif_transpose(image).convert("RGB")
        found = self.engine(np.asarray(page)[:, :, ::-1])  # OpenCV's order of colours
        if found.boxes is None:
            return {"result": [], "score": 1.0}
        every = zip(found.boxes, found.class_names, found.scores, strict=True)
        known = [(box, self.names[part], float(score)) for box, part, score in every if part in self.names]
        result = [
            regions.rectangle(self.from_name, self.to_name, label, xyxy=box, size=page.size, score=score)
            for box, label, score in known
        ]
        return {"result": result, "score": min((score for *_, score in known), default=1.0)}
