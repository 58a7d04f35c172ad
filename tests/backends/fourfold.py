"""Generation 2: fit() counts itself in four places; predict() shows the count if all of them agree.

The places: what fit() returns, set(), a file in workdir, and a module global that is built from that file once.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from label_studio_ml.model import LabelStudioMLBase

weights: dict[str, int] = {}


class Fourfold(LabelStudioMLBase):
    def setup(self) -> None:
        if not weights:
            weights["count"] = self._in_file()

    def _in_file(self) -> int:
        path = Path(self.workdir or "", "weights")
        return int(path.read_text()) if self.workdir and path.exists() else 0

    def predict(self, tasks: list[dict[str, Any]], **kwargs: Any) -> list[dict[str, Any]]:
        counts = [self.train_output.get("count", 0), self.get("count") or 0, self._in_file(), weights["count"]]
        if len(set(counts)) != 1:
            raise ValueError(f"four places tell four stories: {counts}")
        return [{"result": [], "score": counts[0] / 100} for _ in tasks]

    def fit(self, event: str, data: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        count = data["annotation"]["id"]
        assert self.workdir is not None
        Path(self.workdir, "weights").write_text(str(count))
        self.set("count", count)
        return {"count": count}
