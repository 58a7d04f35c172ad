"""A prediction that does not fit, seen from outside: the reply, the log, the metric and `/health`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from label_studio_ml.model import LabelStudioMLBase
from label_studio_ml.processes.messages import REASONS, Problem
from label_studio_ml.server.metrics import Metrics
from tests.support.in_process_backend import Served, region, served

SENTENCE = (
    "the prediction does not fit the labeling config: result[1] for control `sentiment` (Choices) has the label "
    "`Positiv`; the labeling config allows `Positive` and `Negative`, and the nearest is `Positive`."
)


class Slips(LabelStudioMLBase):
    def predict(self, tasks: list[dict[str, Any]], context: Any = None, **kwargs: Any) -> Any:
        results = []
        for task in tasks:
            slip = task["data"]["text"] == "slip"
            results.append({"result": [region(), region("Positiv" if slip else "Negative")]})
        return results


@pytest.fixture
def backend(tmp_path: Path) -> Iterator[Served]:
    with served(Slips, tmp_path / "model-data") as running:
        yield running


def counted(backend: Served) -> list[str]:
    """The lines of the metric."""
    lines = backend.client.get("/metrics").text.splitlines()
    return [line for line in lines if line.startswith("label_studio_ml_prediction_problems_total")]


def test_log_metric_and_health_tell_task_control_and_what_would_do(
    backend: Served, caplog: pytest.LogCaptureFixture
) -> None:
    first, second, third = backend.predict("fine", "slip", "fine")
    assert second == []
    assert len(first["result"]) == len(third["result"]) == 2
    assert f"Task 2 got no prediction: {SENTENCE}" in caplog.text
    assert counted(backend) == ['label_studio_ml_prediction_problems_total{kind="invalid",reason="label"} 1.0']
    (problem,) = backend.client.get("/health").json["problems"]
    assert problem.pop("time")
    assert problem == {
        "project": "7",
        "task": "2",
        "message": SENTENCE,
        "reason": "label",
        "control": "sentiment",
    }


def test_strict_refuses_with_the_same_words_and_counts_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LABEL_STUDIO_ML_STRICT", "true")
    with served(Slips, tmp_path / "model-data") as backend:
        reply = backend.ask("fine", "slip")
        assert reply.status_code == 500
        assert reply.json["error"] == f"Task 2: {SENTENCE}"
        (problem,) = backend.client.get("/health").json["problems"]
        assert (problem["task"], problem["control"]) == ("2", "sentiment")
        assert len(counted(backend)) == 1


def test_the_metric_takes_few_values_whatever_a_worker_sends() -> None:
    metrics = Metrics()
    for reason in (*REASONS, "made up", "made up as well"):
        metrics.problem(Problem(0, "1", "invalid", "", reason))
    text = metrics.text().decode()
    lines = [line for line in text.splitlines() if line.startswith("label_studio_ml_prediction_problems_total")]
    assert len(lines) == len(REASONS) + 1
    assert 'label_studio_ml_prediction_problems_total{kind="invalid",reason="other"} 2.0' in lines
