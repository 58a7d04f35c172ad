"""A backend that learns in the calling process, and the calls of people and the command line about it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from label_studio_ml.model import LabelStudioMLBase
from label_studio_ml.server.test_client import TestResponse
from tests.support.in_process_backend import Served


class Learner(LabelStudioMLBase):
    """Learns the newest choice; `Negative` makes fit() raise, a file named `broken` its constructor."""

    def setup(self) -> None:
        if self.workdir and Path(self.workdir, "broken").exists():
            raise OSError("the weights are damaged")

    def predict(self, tasks: list[dict[str, Any]], context: Any = None, **kwargs: Any) -> list[dict[str, Any]]:
        return [{"result": [], "score": (self.get("seen") or 0) / 100} for _ in tasks]

    def fit(self, event: str, data: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        choice = data["annotation"]["result"][0]["value"]["choices"][0] if "annotation" in data else ""
        if choice == "Negative":
            raise ValueError("I only learn good things")
        self.progress(1.0, loss=0.5)
        self.set("seen", (self.get("seen") or 0) + 1)
        return {"seen": self.get("seen")}


def ask(backend: Served, path: str, *, body: Any = None, method: str = "") -> TestResponse:
    return backend.client.open(path, method=method or ("GET" if body is None else "POST"), json=body)


def score(backend: Served) -> int:
    """How many trainings the version behind the predictions has seen."""
    found: float = backend.predict("x")[0]["score"]
    return round(found * 100)


def trained(backend: Served, count: int = 1) -> list[dict[str, Any]]:
    """Annotations, and the versions that came of them, newest first."""
    for number in range(1, count + 1):
        backend.annotate(number)
    found: list[dict[str, Any]] = ask(backend, "/projects/7/versions").json["versions"]
    return found
