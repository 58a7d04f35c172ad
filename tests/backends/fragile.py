"""Cannot be set up while the file named by BROKEN exists."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from label_studio_ml.model import LabelStudioMLBase


class Fragile(LabelStudioMLBase):
    def setup(self) -> None:
        if Path(os.environ["BROKEN"]).exists():
            raise RuntimeError("the weights are missing")

    def predict(self, tasks: list[dict[str, Any]], **kwargs: Any) -> list[dict[str, Any]]:
        return [{"result": [], "score": 0.5} for _ in tasks]
