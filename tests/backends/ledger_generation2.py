"""Generation 2: keeps the annotations it learned from, in order, and writes a line to LEDGER whenever fit() begins.

LEDGER shows how often fit() ran for an annotation; `seen` what the version knows.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

from label_studio_ml.model import LabelStudioMLBase


class Ledger(LabelStudioMLBase):
    def predict(self, tasks: list[dict[str, Any]], **kwargs: Any) -> list[dict[str, Any]]:
        return [{"result": [], "score": len(self.get("seen") or []) / 10000} for _ in tasks]

    def fit(self, event: str, data: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        annotation = data["annotation"]["id"]
        with Path(os.environ["LEDGER"]).open("a") as ledger:
            ledger.write(f"{self.project_id} {annotation}\n")
        assert self.workdir is not None
        Path(self.workdir, "weights").write_text(str(annotation))
        for step in range(5):
            self.progress(step / 5)
            threading.Event().wait(0.02)  # a training takes its time: some of it is for being killed in
        self.set("seen", [*(self.get("seen") or []), annotation])
        return {"last": annotation}
