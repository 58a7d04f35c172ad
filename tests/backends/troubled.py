"""Fails in the way the task's text asks for; every other task gets an empty prediction."""

from __future__ import annotations

import os
from typing import Any

from label_studio_ml.model import LabelStudioMLBase


class Troubled(LabelStudioMLBase):
    def predict(self, tasks: list[dict[str, Any]], **kwargs: Any) -> list[dict[str, Any]]:
        texts = [task["data"].get("text") for task in tasks]
        if "crash" in texts:
            os._exit(7)
        if "raise" in texts:
            raise ValueError("the inside of the model")
        return [{"result": [], "score": 0.5} for _ in tasks]
