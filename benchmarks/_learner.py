"""The model that benchmarks/training.py trains: it learns from a file how long to burn CPU."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from label_studio_ml.model import LabelStudioMLBase

_LONGEST = 900.0
"""Seconds after which a fit() that nobody ends gives up: the benchmark has ended without a word."""


class Learner(LabelStudioMLBase):
    """Predicts nothing, and says when the fit() of its version ended."""

    def predict(
        self,
        tasks: list[dict[str, Any]],
        context: dict[str, Any] | None = None,  # noqa: ARG002
        **kwargs: Any,  # noqa: ARG002
    ) -> list[dict[str, Any]]:
        """One empty prediction for each task."""
        return [{"result": [], "score": 0.5, "ended": self.train_output.get("ended", 0.0)} for _ in tasks]

    def fit(self, annotations: Sequence[dict[str, Any]], **kwargs: Any) -> dict[str, Any]:  # noqa: ARG002
        """Read every task twice; then keep every core busy while the file named by BURN exists."""
        count = sum(len(task["annotations"]) for task in annotations)
        assert sum(len(task["annotations"]) for task in annotations) == count
        self.progress(annotations=count, peak=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
        burn = Path(os.environ["BURN"])
        if burn.exists():
            burning = [
                subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(os.cpu_count() or 1)
            ]
            try:
                burn.with_suffix(".begun").touch()
                _wait_until_gone(burn)
            finally:
                for process in burning:
                    process.kill()
                    process.wait()
        return {"ended": time.time()}


def _wait_until_gone(path: Path) -> None:
    deadline = time.monotonic() + _LONGEST
    while path.exists():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{path} is still there after {_LONGEST:.0f} s.")
        time.sleep(0.05)
