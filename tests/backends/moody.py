"""Generation 2: fit() does what the task's text asks for; what it learned cannot be loaded after "bad"."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from label_studio_ml.model import LabelStudioMLBase


class Moody(LabelStudioMLBase):
    def setup(self) -> None:
        if self.train_output.get("text") == "bad":
            raise RuntimeError("these weights are of no use")

    def predict(self, tasks: list[dict[str, Any]], **kwargs: Any) -> list[dict[str, Any]]:
        return [{"result": [], "score": 0.5} for _ in tasks]

    def fit(self, event: str, data: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        text = data["task"]["data"]["text"]
        with Path(os.environ["LEDGER"]).open("a") as ledger:
            ledger.write(f"{text}\n")
        assert self.workdir is not None
        Path(self.workdir, "weights").write_text(text)
        if text == "raise":
            raise ValueError("the labels make no sense")
        if text == "exit":
            os._exit(7)
        while text == "hang":
            time.sleep(0.02)
        return {"text": text}
