"""The models behind BentoML, as its documentation shows it: one worker; `Batching` is its adaptive batching.

    bentoml serve benchmarks.models.bentoml_service:Plain

A batching method of BentoML takes and returns a list, so its reply lacks the object around `results`.
"""

from __future__ import annotations

from typing import Any

import bentoml

from benchmarks.models import work


@bentoml.service(workers=1, logging={"access": {"enabled": False}})
class Plain:
    """Each request by itself."""

    def __init__(self) -> None:
        self.work = work.load()

    @bentoml.api(route="/predict")
    def predict(
        self,
        tasks: list[dict[str, Any]],
        project: str,  # noqa: ARG002
        label_config: str,  # noqa: ARG002
        params: dict[str, Any],  # noqa: ARG002
    ) -> dict[str, Any]:
        """The reply to one request."""
        return {"results": self.work(tasks)}


@bentoml.service(workers=1, logging={"access": {"enabled": False}})
class Batching:
    """Tasks of several requests together."""

    def __init__(self) -> None:
        self.work = work.load()

    @bentoml.api(route="/predict", batchable=True, max_batch_size=64, max_latency_ms=1000)
    def predict(self, tasks: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """A prediction for each task."""
        return self.work(tasks)
