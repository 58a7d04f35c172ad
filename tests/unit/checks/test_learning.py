"""What the checks say about fit() and what it leaves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from label_studio_ml.checks.report import Outcome
from tests.support.checked_models import (
    Good,
    GoodToo,
    Tasks,
    only_problem,
    outcomes,
    prediction,
    try_out,
)


class Idle(Good):
    def fit(self, annotations: Any, workdir: str | None = None, **kwargs: Any) -> Any:
        return None


def test_a_fit_that_leaves_nothing_is_warned_of() -> None:
    report = try_out(Idle)
    problem = only_problem(report)
    assert (problem.check, report.check("New version").outcome) == ("New version", Outcome.WARNING)
    assert "self.set(" in problem.fix
    assert report.check("Predict after fit").outcome is Outcome.SKIPPED


def test_a_fit_that_raises_is_found_with_the_line() -> None:
    class Fails(Good):
        def fit(self, annotations: Any, workdir: str | None = None, **kwargs: Any) -> Any:
            raise ValueError("no gradient")

    report = try_out(Fails)
    assert report.check("Fit").problems[0].message == "fit() failed: ValueError: no gradient"
    assert report.check("Fit").problems[0].where.endswith('raise ValueError("no gradient")')
    assert report.check("New version").summary == "fit() failed"
    assert outcomes(report)["Fit: nothing annotated"] == "warning"
    assert not report.is_ok()


def test_a_fit_that_trips_over_a_skipped_task_is_found() -> None:
    class Trips(Good):
        def fit(self, annotations: Any, workdir: str | None = None, **kwargs: Any) -> Any:
            return {task["annotations"][0]["result"][0]["value"]["choices"][0]: 1 for task in annotations}

    problem = only_problem(try_out(Trips))
    assert problem.check == "Fit: skipped task"
    assert "was_cancelled" in problem.fix


def test_events_that_bring_less_than_an_annotation_are_tried() -> None:
    class Trusting(GoodToo):
        def fit(self, event: str, data: Any, **kwargs: Any) -> Any:  # type: ignore[override]
            self.set("last", data["annotation"]["result"][0]["value"]["choices"][0])

    report = try_out(Trusting)
    assert {problem.check: problem.message for problem in report.problems} == {
        "Start training": "fit() failed: KeyError: 'annotation'",
        "Fit: skipped task": "fit() failed: IndexError: list index out of range",
        "Fit: deleted annotation": "fit() failed: KeyError: 'result'",
    }
    assert outcomes(report)["Fit"] == outcomes(report)["New version"] == "ok"


def test_events_that_the_class_does_not_want_are_not_tried() -> None:
    class Button(GoodToo):
        TRAIN_EVENTS = ("START_TRAINING",)

        def fit(self, event: str, data: Any, **kwargs: Any) -> Any:  # type: ignore[override]
            assert event == "START_TRAINING"
            self.set("last", "Neutral")

    report = try_out(Button)
    report.assert_ok(strict=True)
    assert report.check("Fit").summary == "ANNOTATION_CREATED is not in TRAIN_EVENTS"
    assert report.check("Fit: deleted annotation").outcome is Outcome.SKIPPED
    assert report.check("Predict after fit").summary == "4 of 4 tasks, 4 changed"


def test_a_new_version_that_does_not_load_is_found() -> None:
    class Lost(Good):
        def setup(self) -> None:
            if self.train_output:
                Path(self.train_output["weights"]).read_text()

        def fit(self, annotations: Any, workdir: str | None = None, **kwargs: Any) -> Any:
            return {"weights": "/nowhere/weights.bin"}

    problem = next(one for one in try_out(Lost).problems if one.check == "New version")
    assert "FileNotFoundError" in problem.message
    assert "read_text()" in problem.where


def test_a_new_version_that_predicts_wrongly_is_found() -> None:
    class Spoiled(Good):
        def predict(self, tasks: Tasks, context: Any = None, **kwargs: Any) -> Any:
            return [prediction("Worse" if self.train_output else "Positive") for _ in tasks]

    report = try_out(Spoiled)
    assert {problem.check for problem in report.problems} == {"Predict after fit"}
    assert len(report.problems) == 4


def test_without_fit_nothing_is_trained() -> None:
    class Untouched(Good):
        def fit(self, annotations: Any, workdir: str | None = None, **kwargs: Any) -> Any:
            raise AssertionError("trained")

    report = try_out(Untouched, fit=False)
    report.assert_ok(strict=True)
    assert report.check("Fit").summary == "not asked for"


def test_a_model_that_measures_itself_gets_the_annotated_tasks() -> None:
    class Measured(GoodToo):
        def evaluate(self, tasks: Any) -> dict[str, float]:
            annotated = [task for task in tasks if task["annotations"]]
            assert len(annotated) == 4
            return {"seen": len(annotated)}

    try_out(Measured).assert_ok(strict=True)


def test_a_call_of_the_api_that_is_not_played_is_named() -> None:
    class Curious(GoodToo):
        def fit(self, event: str, data: Any, **kwargs: Any) -> Any:  # type: ignore[override]
            client = self._get_label_studio_client()
            assert client is not None
            client.users.whoami()

    problem = next(one for one in try_out(Curious).problems if one.check == "Fit")
    assert "GET /api/current-user/whoami" in problem.fix
    assert "--project N" in problem.fix
