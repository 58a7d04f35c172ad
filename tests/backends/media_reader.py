"""Predicts what it read: the kind and the digest of the image of each task."""

import hashlib
from pathlib import Path

from label_studio_ml.model import LabelStudioMLBase


class MediaReader(LabelStudioMLBase):
    def predict(self, tasks, context=None, **kwargs):
        self.prefetch(tasks, "image")
        return [self.read(task) for task in tasks]

    def read(self, task):
        path = Path(self.get_local_path(task["data"]["image"], task_id=task["id"]))
        said = f"{path.suffix} {hashlib.sha256(path.read_bytes()).hexdigest()}"
        region = {"from_name": "seen", "to_name": "image", "type": "textarea", "value": {"text": [said]}}
        return {"result": [region], "score": 1.0}
