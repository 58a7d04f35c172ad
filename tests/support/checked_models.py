"""Small models to run the checks of `test` on, and ways to read what they find."""

from __future__ import annotations

from collections import Counter
from typing import Any

from label_studio_ml.checks import configs
from label_studio_ml.checks.plan import Plan
from label_studio_ml.checks.report import Problem, Report
from label_studio_ml.checks.run import run_checks
from label_studio_ml.model import LabelStudioMLBase

CHOICES = configs.template("text-classification")
Tasks = list[dict[str, Any]]


def try_out(subject: Any, label_config: configs.LabelConfig = CHOICES, **more: Any) -> Report:
    return run_checks(subject, Plan(label_config=label_config, **more))


def outcomes(report: Report) -> dict[str, str]:
    return {check.name: check.outcome.value for check in report.checks}


def only_problem(report: Report) -> Problem:
    (problem,) = report.problems
    assert problem.fix
    return problem


def region(label: str = "Positive") -> dict[str, Any]:
    return {"from_name": "sentiment", "to_name": "text", "type": "choices", "value": {"choices": [label]}}


class Good(LabelStudioMLBase):
    """Generation 1: says what it has heard most often."""

    def predict(self, tasks: Tasks, context: Any = None, **kwargs: Any) -> Any:
        counts = self.train_output or {"Positive": 0}
        return [{"result": [region(max(counts, key=counts.__getitem__))], "score": 0.5} for _ in tasks]

    def fit(self, annotations: Any, workdir: str | None = None, **kwargs: Any) -> Any:
        chosen = [
            one["value"]["choices"][0]
            for task in annotations
            for annotation in task["annotations"]
            for one in annotation["result"]
        ]
        return dict(Counter(label for label in chosen if label != "Positive"))


class GoodToo(Good):
    """Generation 2: keeps the last label."""

    def predict(self, tasks: Tasks, context: Any = None, **kwargs: Any) -> Any:
        return [{"result": [region(self.get("last") or "Positive")], "score": 0.5} for _ in tasks]

    def fit(self, event: str, data: Any, **kwargs: Any) -> Any:  # type: ignore[override]
        if event == "ANNOTATION_CREATED" and not data["annotation"]["was_cancelled"]:
            self.set("last", data["annotation"]["result"][0]["value"]["choices"][0])


def saying(answer: Any) -> type[LabelStudioMLBase]:
    """A model that answers each task with what `answer(task)` returns."""

    class Saying(LabelStudioMLBase):
        def predict(self, tasks: Tasks, context: Any = None, **kwargs: Any) -> Any:
            return [answer(task) for task in tasks]

    return Saying


def prediction(label: str = "Positive", **more: Any) -> dict[str, Any]:
    return {"result": [region(label)], "score": 0.5, **more}
