"""The model class that our server and label-studio-ml 1.0.9 serve, one file for both."""

from __future__ import annotations

from typing import Any

from label_studio_ml.model import LabelStudioMLBase

from benchmarks.models import work


class Measured(LabelStudioMLBase):
    """Predicts with the function that the environment names."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.work = work.load()

    def predict(self, tasks: list[dict[str, Any]], **kwargs: Any) -> list[dict[str, Any]]:  # noqa: ARG002
        """One prediction for each task."""
        return self.work(tasks)
