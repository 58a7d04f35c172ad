"""Our server with its figures for Prometheus switched off, for benchmarks/cases/footprint.py to compare with.

python -m benchmarks.without_metrics start BACKEND …        the same command line as label-studio-ml
"""

from __future__ import annotations

import inspect
from collections import defaultdict
from typing import Any

from label_studio_ml.server import main
from label_studio_ml.server.metrics import Metrics


def switch_off() -> None:
    """Make everything that counts or times do nothing: each public method that gives nothing back."""
    for name, method in inspect.getmembers(Metrics, inspect.isfunction):
        if not name.startswith("_") and name != "include" and method.__annotations__.get("return") == "None":
            setattr(Metrics, name, _nothing)
    setattr(Metrics, "by_status", _silent)  # noqa: B010 - mypy minds an assignment
    setattr(Metrics, "waited", property(lambda _: _nothing, _nothing))  # noqa: B010 - it sets itself, too


def _nothing(*_args: Any, **_kwargs: Any) -> None:
    """Instead of counting."""


class _Silent:
    """Instead of a histogram."""

    observe = staticmethod(_nothing)


def _silent(_metrics: Metrics, _method: str, _path: str) -> dict[int, Any]:
    """Instead of the histograms of a call."""
    return defaultdict(_Silent)


if __name__ == "__main__":
    switch_off()
    main()
