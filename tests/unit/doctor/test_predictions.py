"""`label-studio-ml doctor` before backends whose predictions are not what they should be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from label_studio_ml.doctor import backend as doctor_backend
from label_studio_ml.doctor.caller import Caller
from label_studio_ml.doctor.findings import Finding, Status
from label_studio_ml.doctor.played_project import PlayedProject, sample_tasks
from label_studio_ml.wire.deadlines import Deadlines
from tests.support.doctor_findings import PATIENT, bad, look, the_one
from tests.support.in_process_backend import CONFIG, region
from tests.support.played_backend import Pretend, serving

pytestmark = pytest.mark.usefixtures("no_settings_from_outside")


def predicting(make: Callable[[Any], Any]) -> Pretend:
    """A backend whose results are made from the tasks."""
    return Pretend(answers={"/predict": lambda body: {"results": make(body["tasks"])}})


@pytest.mark.parametrize(
    ("results", "said"),
    [
        (1, "one by one"),
        (3, "discards all of them without an error message"),
        (0, "discards all of them without an error message"),
    ],
)
def test_a_wrong_number_of_results_is_found_with_what_label_studio_makes_of_it(results: int, said: str) -> None:
    with serving(predicting(lambda _: [{"result": []}] * results)) as backend:
        found = the_one(look(backend.url))
    assert (found.check, found.status) == ("predict", Status.PROBLEM)
    assert f"{results} result" in found.what
    assert said in found.what
    assert "exactly one item for each task" in found.fix


@pytest.mark.parametrize("reply", [{"predictions": []}, {"results": None}, "[]", "<html>"])
def test_a_reply_without_results_is_found(reply: Any) -> None:
    with serving(Pretend(answers={"/predict": lambda _: reply})) as backend:
        found = the_one(look(backend.url))
    assert '{"results": [...]}' in found.what


def test_a_failing_predict_is_shown_with_what_it_says() -> None:
    with serving(Pretend(answers={"/predict": lambda _: (500, {"error": "CUDA out of memory"})})) as backend:
        found = the_one(look(backend.url))
    assert "500: CUDA out of memory" in found.what
    assert "--debug" in found.fix


def test_a_predict_that_takes_too_long_is_found() -> None:
    with serving(Pretend(slow={"/predict": 5})) as backend:
        found = the_one(look(backend.url, deadlines={"predict": 0.2}))
    assert (found.check, found.status) == ("predict", Status.PROBLEM)
    assert "did not answer within 0.2 s for 2 tasks" in found.what
    assert "Make predict() faster" in found.fix


def test_a_slow_predict_says_how_many_tasks_may_be_selected() -> None:
    with serving(Pretend(slow={"/predict": 0.4})) as backend:
        found = the_one(look(backend.url, deadlines={"predict": 15}))
    assert (found.check, found.status) == ("predict", Status.WARNING)
    assert "tasks at a time" in found.what
    assert "Retrieve predictions" in found.fix


INVALID: dict[str, Any] = {
    "a label that the config does not have": {"result": [region("Great")], "score": 0.5},
    "a control that the config does not have": {"result": [{**region(), "from_name": "mood"}]},
    "a type that the control does not have": {"result": [{**region(), "type": "labels"}]},
    "a score that is not a number": {"result": [], "score": "high"},
    "no result": {"score": 0.5},
    "no object": "Positive",
}


@pytest.mark.parametrize("prediction", INVALID.values(), ids=INVALID.keys())
def test_a_prediction_that_label_studio_would_refuse_is_found(prediction: Any) -> None:
    with serving(predicting(lambda tasks: [[prediction] for _ in tasks])) as backend:
        found = the_one(look(backend.url))
    assert (found.check, found.status) == ("predictions", Status.PROBLEM)
    assert "refuse the whole batch: task 1" in found.what
    assert "from the labeling config" in found.fix


def test_tasks_without_a_prediction_are_a_warning() -> None:
    with serving(predicting(lambda _: [{"result": [region()]}, []])) as backend:
        found = the_one(look(backend.url))
    assert (found.check, found.status) == ("predictions", Status.WARNING)
    assert "1 of 2 tasks get no prediction" in found.what


@pytest.mark.parametrize("version", ["another", None])
def test_predictions_of_another_version_than_setup_announces_are_found(version: str | None) -> None:
    with serving(predicting(lambda tasks: [{"result": [], "model_version": version}] * len(tasks))) as backend:
        found = the_one(look(backend.url))
    assert (found.check, found.status) == ("versions", Status.PROBLEM)
    assert "'pretend-1'" in found.what
    assert "duplicates" in found.what
    assert "in one place" in found.fix


def test_a_version_that_is_named_once_the_model_is_loaded_is_well() -> None:
    names = iter(["0.0.1", "pretend-1"])
    with serving(Pretend(answers={"/setup": lambda _: {"model_version": next(names)}})) as backend:
        assert bad(look(backend.url)) == []


@pytest.mark.parametrize("answer", [{"versions": ["older"]}, {"versions": None}, (500, {"error": "no"})])
def test_a_versions_call_that_does_not_fit_is_a_warning(answer: Any) -> None:
    with serving(Pretend(answers={"/versions": lambda _: answer})) as backend:
        found = the_one(look(backend.url))
    assert (found.check, found.status) == ("versions page", Status.WARNING)


def clicked(pretend: Pretend) -> list[Finding]:
    """What is found where a project has interactive preannotations on."""
    with serving(pretend) as backend:
        caller = Caller(backend.url, deadlines=Deadlines(**PATIENT))
        tasks = sample_tasks(CONFIG, 2)
        played = PlayedProject(label_config=CONFIG, config_given=True, tasks=tasks, interactive=True)
        found = list(doctor_backend.examine(caller, played).findings)
        caller.close()
        return found


def test_a_click_is_answered_with_one_prediction_or_it_is_a_warning() -> None:
    contexts = []

    def predict(body: Any) -> Any:
        contexts.append(body["params"]["context"])
        return {"results": [] if contexts[-1] else [{"result": []} for _ in body["tasks"]]}

    assert bad(clicked(Pretend())) == []
    found = the_one(clicked(Pretend(answers={"/predict": predict})))
    assert (found.check, found.status) == ("interactive", Status.WARNING)
    assert "a made-up click gets no prediction" in found.what
    assert "--no-interactive" in found.fix
    assert contexts[0] is None
    assert contexts[1]["result"][0]["from_name"] == "sentiment"
