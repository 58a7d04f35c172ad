"""`ModelResponse`: predictions together with the version of the model that made them.

Runs in the author's process (worker or trainer), never in the web process: it needs label-studio-sdk.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from label_studio_sdk.label_interface.objects import PredictionValue
from pydantic import BaseModel, ConfigDict, field_validator

SingleTaskPredictions: TypeAlias = list[PredictionValue] | PredictionValue
"""What one task gets: a prediction, or any number of them."""


class ModelResponse(BaseModel):
    """What `predict()` may return: predictions in the order of the tasks, and the model's version.

    Raises:
        pydantic.ValidationError: an item of `predictions` is none of these.

    >>> response = ModelResponse(predictions=[{"result": [], "score": 0.5}])
    >>> response.set_version("1.0.0")
    >>> response.predictions[0].model_version
    '1.0.0'
    """

    model_config = ConfigDict(protected_namespaces=())

    model_version: str | None = None
    """The version of the model; anything that is not a string is written as one."""
    predictions: list[SingleTaskPredictions]
    """One item per task: a `PredictionValue`, a dict with its fields, or a list of either."""

    @field_validator("model_version", mode="before")
    @classmethod
    def _as_text(cls, version: Any) -> str | None:
        return None if version is None else str(version)

    def has_model_version(self) -> bool:
        """Tell whether a version is known."""
        return bool(self.model_version)

    def set_version(self, version: str) -> None:
        """Name the model's version, here and in every prediction that names none."""
        self.model_version = str(version)
        self.update_predictions_version()

    def update_predictions_version(self) -> None:
        """Give the model's version to every prediction that names none."""
        for item in self.predictions:
            for prediction in item if isinstance(item, list) else [item]:
                if not prediction.model_version:
                    prediction.model_version = self.model_version
