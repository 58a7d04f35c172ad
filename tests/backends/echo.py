"""Predicts the first label of every control it knows; an interactive call gets the clicked region back."""

from __future__ import annotations

from typing import Any

from label_studio_ml.model import LabelStudioMLBase


class Echo(LabelStudioMLBase):
    def predict(
        self, tasks: list[dict[str, Any]], context: dict[str, Any] | None = None, **kwargs: Any
    ) -> list[dict[str, Any]]:
        result = context["result"] if context else self._first_labels()
        return [{"result": result, "score": 0.5} for _ in tasks]

    def _first_labels(self) -> list[dict[str, Any]]:
        regions = []
        for name, control in self.parsed_label_config.items():
            where: dict[str, Any]
            if control["type"] == "Choices":
                where = {"choices": control["labels"][:1]}
            elif control["type"] == "RectangleLabels":
                where = {
                    "x": 10,
                    "y": 10,
                    "width": 20,
                    "height": 20,
                    "rectanglelabels": control["labels"][:1],
                }
            else:
                continue
            kind = control["type"].lower()
            regions.append({"from_name": name, "to_name": control["to_name"][0], "type": kind, "value": where})
        return regions
