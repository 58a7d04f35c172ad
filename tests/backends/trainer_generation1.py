"""Generation 1: fit() counts the annotated tasks it is given, predict() shows the count as its score."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from label_studio_ml.model import LabelStudioMLBase


class Counter(LabelStudioMLBase):
    def predict(self, tasks: list[dict[str, Any]], **kwargs: Any) -> list[dict[str, Any]]:
        score = self.train_output.get("annotated", 0) / 100
        return [{"result": [], "score": score} for _ in tasks]

    def fit(
        self, annotated_tasks: Iterable[dict[str, Any]], workdir: str | None = None, **kwargs: Any
    ) -> dict[str, Any]:
        return {"annotated": sum(1 for task in annotated_tasks if task.get("annotations"))}
