"""Generation 2: fit() keeps the events it saw with set(), predict() shows how many as its score.

While the file named by HOLD_FIT exists, fit() waits.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from label_studio_ml.model import LabelStudioMLBase


class Witness(LabelStudioMLBase):
    def predict(
        self, tasks: list[dict[str, Any]], context: dict[str, Any] | None = None, **kwargs: Any
    ) -> list[dict[str, Any]]:
        score = len(self.get("events") or []) / 100
        return [{"result": [], "score": score} for _ in tasks]

    def fit(self, event: str, data: dict[str, Any], **kwargs: Any) -> None:
        hold = os.environ.get("HOLD_FIT")
        while hold and Path(hold).exists():
            time.sleep(0.02)
        self.set("events", [*(self.get("events") or []), event])
