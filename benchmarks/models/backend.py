"""The model class that our server and label-studio-ml 1.0.9 serve, one file for both."""

from __future__ import annotations

from typing import Any

from benchmarks.models import work
from label_studio_ml.model import LabelStudioMLBase


class Measured(LabelStudioMLBase):
    """Predicts with the function that the environment names."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.work = work.load()

    def predict(
        self,
        tasks: list[dict[str, Any]],
        context: dict[str, Any] | None = None,  # noqa: ARG002
        **kwargs: Any,  # noqa: ARG002
    ) -> list[dict[str, Any]]:
        """One prediction for each task."""
        return self.work(tasks)
