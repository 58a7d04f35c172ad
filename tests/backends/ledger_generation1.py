"""Generation 1: keeps which annotations its tasks had, and writes a line to LEDGER whenever fit() begins."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from label_studio_ml.model import LabelStudioMLBase


class Ledger(LabelStudioMLBase):
    def predict(self, tasks: list[dict[str, Any]], **kwargs: Any) -> list[dict[str, Any]]:
        return [{"result": [], "score": len(self.get("seen") or []) / 10000} for _ in tasks]

    def fit(self, annotations: Iterable[dict[str, Any]], workdir: str = "", **kwargs: Any) -> dict[str, Any]:
        with Path(os.environ["LEDGER"]).open("a") as ledger:
            ledger.write(f"{self.project_id} {Path(workdir).name}\n")
        Path(workdir, "weights").write_text(workdir)
        for step in range(5):
            self.progress(step / 5)
            threading.Event().wait(0.02)  # a training takes its time: some of it is for being killed in
        self.set("seen", sorted(one["id"] for task in annotations for one in task["annotations"]))
        return {"workdir": workdir}
