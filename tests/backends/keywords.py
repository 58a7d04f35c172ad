"""Labels a text by the first label name found in it, and shows what it knows in the prediction itself.

The text area `seen` gets one JSON line with the training events that fit() kept, and the score is the extra
parameter `threshold` of the connection: so the tests read the model's state from Label Studio's own answers.
"""

from __future__ import annotations

import json
from typing import Any

from label_studio_ml.model import LabelStudioMLBase


class Keywords(LabelStudioMLBase):
    def predict(
        self, tasks: list[dict[str, Any]], context: dict[str, Any] | None = None, **kwargs: Any
    ) -> list[dict[str, Any]]:
        return [self._predict_one(task, context) for task in tasks]

    def _predict_one(self, task: dict[str, Any], context: dict[str, Any] | None) -> dict[str, Any]:
        labels = self.parsed_label_config["sentiment"]["labels"]
        text = task["data"]["text"].lower()
        clicked = context["result"][0]["value"]["choices"] if context else []
        found = [label for label in labels if label.lower() in text]
        seen = json.dumps({"clicked": clicked, "events": self.get("events") or []})
        return {
            "result": [
                {
                    "from_name": "sentiment",
                    "to_name": "text",
                    "type": "choices",
                    "value": {"choices": (found or labels)[:1]},
                },
                {"from_name": "seen", "to_name": "text", "type": "textarea", "value": {"text": [seen]}},
            ],
            "score": (self.extra_params or {}).get("threshold", 0.5),
        }

    def fit(self, event: str, data: dict[str, Any], **kwargs: Any) -> None:
        annotation = data.get("annotation") or {}
        skipped = " skipped" if annotation.get("was_cancelled") else ""
        self.set("events", [*(self.get("events") or []), event + skipped])
