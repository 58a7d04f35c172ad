"""Opens the image of every task, wherever Label Studio keeps it, and draws a box as large as half of it."""

from typing import Any

from PIL import Image

from label_studio_ml.model import LabelStudioMLBase


class Opener(LabelStudioMLBase):
    def setup(self) -> None:
        self.from_name, self.to_name, self.value = self.get_first_tag_occurence("RectangleLabels", "Image")
        self.label = self.label_interface.get_control(self.from_name).labels[0]

    def predict(self, tasks: list[dict[str, Any]], context: Any = None, **kwargs: Any) -> list[dict[str, Any]]:
        return [self.box(task) for task in tasks]

    def box(self, task: dict[str, Any]) -> dict[str, Any]:
        with Image.open(self.get_local_path(task["data"][self.value], task_id=task["id"])) as image:
            width, height = image.size
        region = {
            "from_name": self.from_name,
            "to_name": self.to_name,
            "type": "rectanglelabels",
            "original_width": width,
            "original_height": height,
            "value": {"x": 0, "y": 0, "width": 50, "height": 50, "rectanglelabels": [self.label]},
        }
        return {"result": [region], "score": 0.5}

    def fit(self, annotations: Any, workdir: str | None = None, **kwargs: Any) -> dict[str, Any]:
        return {"annotations": len(annotations)}
