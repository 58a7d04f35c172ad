"""The project that the doctor asks Label Studio about: read, or said why not."""

from __future__ import annotations

import pytest

from label_studio_ml.doctor import project
from label_studio_ml.doctor.findings import Finding, Findings, Status
from label_studio_ml.label_studio.project import CallRefused
from tests.support.label_studio_answers import Answers, said


def read(api: Answers, number: int | None = 3) -> tuple[project.Project | None, Finding]:
    findings = Findings("Label Studio")
    found = project.read(api, number, findings)
    (finding,) = findings
    return found, finding


def test_a_project_with_controls_is_well_and_named_as_backends_know_it() -> None:
    found, finding = read(Answers())
    assert (finding.status, finding.what) == (Status.OK, "Project 3 has 1 control.")
    assert found is not None
    assert (found.number, found.name) == (3, "3.1704110400")
    assert [task["id"] for task in found.tasks] == [1]


def test_without_a_number_it_is_asked_for() -> None:
    found, finding = read(Answers(), None)
    assert (found, finding.status) == (None, Status.WARNING)
    assert "--project N" in finding.fix


@pytest.mark.parametrize("status", [403, 404])
def test_a_project_that_the_user_may_not_see_is_missing(status: int) -> None:
    found, finding = read(Answers(refused=CallRefused("GET /api/projects/3/", status, said("no such project"))))
    assert (found, finding.status) == (None, Status.PROBLEM)
    assert finding.what == "There is no project 3 that this user may see."


def test_another_refusal_is_told_as_it_is() -> None:
    _, finding = read(Answers(refused=CallRefused("GET /api/projects/3/", 500, "out of order")))
    assert "(500): out of order" in finding.what


@pytest.mark.parametrize(
    ("config", "what"),
    [("<View></View>", "has no labeling config yet"), ("<View><Choices", "is not understood")],
)
def test_a_config_that_nothing_can_be_predicted_for_is_a_problem(config: str, what: str) -> None:
    found, finding = read(Answers(label_config=config))
    assert (found, finding.check, finding.status) == (None, "labeling config", Status.PROBLEM)
    assert what in finding.what
