"""Takes twenty seconds to learn how many annotations there are, and says it in the text area `seen`."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from label_studio_ml.model import LabelStudioMLBase

SECONDS = 20


class SlowLearner(LabelStudioMLBase):
    def predict(self, tasks: list[dict[str, Any]], **kwargs: Any) -> list[dict[str, Any]]:
        seen = str(self.train_output.get("annotations", 0))
        region = {"from_name": "seen", "to_name": "text", "type": "textarea", "value": {"text": [seen]}}
        return [{"result": [region], "score": 0.5} for _ in tasks]

    def fit(self, annotations: Sequence[dict[str, Any]], **kwargs: Any) -> dict[str, Any]:
        for second in range(SECONDS):
            time.sleep(1)
            self.progress((second + 1) / SECONDS)
        return {"annotations": sum(len(task["annotations"]) for task in annotations)}
