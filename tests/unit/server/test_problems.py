"""What went wrong lately is remembered, for a while and without secrets."""

from __future__ import annotations

import pytest
from msgspec import UNSET

from label_studio_ml import logs
from label_studio_ml.processes.messages import Problem
from label_studio_ml.server.metrics import Metrics
from label_studio_ml.server.problems import Problems
from label_studio_ml.store.jobs import Job, JobState


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def problems(metrics: Metrics) -> Problems:
    return Problems(metrics)


def figures(metrics: Metrics, name: str) -> list[str]:
    return [line for line in metrics.text().decode().splitlines() if line.startswith(f"label_studio_ml_{name}")]


def test_the_last_twenty_are_kept_oldest_first(problems: Problems) -> None:
    for number in range(25):
        problems.remember("7", f"problem {number}")
    assert [problem.message for problem in problems.last] == [f"problem {number}" for number in range(5, 25)]


def test_a_task_without_a_prediction_is_remembered_with_its_reason_and_counted(
    problems: Problems, metrics: Metrics
) -> None:
    problems.problem("7", Problem(0, "3", "predict", "predict() raised"))
    problems.problem("8", Problem(0, "4", "invalid", "no such label", "label", "sentiment"))
    assert [(one.project, one.task, one.reason, one.control) for one in problems.last] == [
        ("7", "3", "raised", UNSET),
        ("8", "4", "label", "sentiment"),
    ]
    assert sorted(figures(metrics, "prediction_problems_total")) == [
        'label_studio_ml_prediction_problems_total{kind="invalid",reason="label"} 1.0',
        'label_studio_ml_prediction_problems_total{kind="predict",reason="raised"} 1.0',
    ]


def test_every_training_is_counted_and_a_failed_one_remembered(problems: Problems, metrics: Metrics) -> None:
    job = Job(id="a", project_id="7", state=JobState.STARTED, action="START_TRAINING", created_at=0.0)
    problems.job_ended(job, JobState.FINISHED, "")
    problems.job_ended(job, JobState.FAILED, "fit() raised")
    assert [(one.project, one.message, one.reason) for one in problems.last] == [
        ("7", "Training failed: fit() raised", UNSET)
    ]
    assert len(figures(metrics, "jobs_total{")) == 2


def test_a_deleted_project_is_forgotten_and_others_are_not(problems: Problems) -> None:
    for project in ("7", "8", "7"):
        problems.remember(project, "a problem")
    problems.forget("7")
    assert [problem.project for problem in problems.last] == ["8"]


def test_secrets_are_not_remembered(problems: Problems) -> None:
    logs.hide("the-token-of-test-problems")
    problems.remember("7", "it cannot use the-token-of-test-problems")
    assert problems.last[0].message == "it cannot use ***"


def test_events_that_are_stored_are_counted(problems: Problems, metrics: Metrics) -> None:
    problems.event_stored()
    assert "label_studio_ml_events_total 1.0" in figures(metrics, "events_total")
