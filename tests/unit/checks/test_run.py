"""What a rehearsal says about small models, each with one thing right or wrong."""

from __future__ import annotations

import json
import os
import random
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy
import pytest
from PIL import Image

from label_studio_ml.author import source
from label_studio_ml.checks import configs, predicting
from label_studio_ml.checks.report import Outcome, Problem, Report
from label_studio_ml.checks.run import rehearse
from label_studio_ml.checks.scene import Plan
from label_studio_ml.errors import SourceError
from label_studio_ml.instance import functions
from label_studio_ml.model import LabelStudioMLBase
from label_studio_ml.processes.messages import Source
from label_studio_ml.wire.deadlines import Deadlines

CHOICES = configs.template("text-classification")
Tasks = list[dict[str, Any]]


def try_out(subject: Any, label_config: configs.LabelConfig = CHOICES, **more: Any) -> Report:
    return rehearse(subject, Plan(label_config=label_config, **more))


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


class Mute(LabelStudioMLBase):
    """No fit(), and nothing to say."""

    def predict(self, tasks: Tasks, context: Any = None, **kwargs: Any) -> Any:
        return [[] for _ in tasks]


def saying(answer: Any) -> type[LabelStudioMLBase]:
    """A model that answers each task with what `answer(task)` returns."""

    class Saying(LabelStudioMLBase):
        def predict(self, tasks: Tasks, context: Any = None, **kwargs: Any) -> Any:
            return [answer(task) for task in tasks]

    return Saying


def prediction(label: str = "Positive", **more: Any) -> dict[str, Any]:
    return {"result": [region(label)], "score": 0.5, **more}


def test_a_good_model_of_generation_1_passes_everything() -> None:
    report = try_out(Good)
    assert set(outcomes(report).values()) == {"ok"}, report.text()
    assert list(outcomes(report)) == [
        *("Labeling config", "Load", "Predict", "Valid", "JSON", "Batch", "Batch = singles", "Interactive"),
        *("Fit", "New version", "Predict after fit", "Fit: skipped task", "Fit: nothing annotated"),
    ]
    assert (report.model_class, report.generation, report.tasks) == ("Good", 1, 4)
    assert report.check("Predict").summary.startswith("4 of 4 tasks")
    assert report.check("Predict after fit").summary == "4 of 4 tasks, 4 changed"
    assert report.check("New version").summary.startswith("0.0.1 → 0001-")
    assert report.tasks_per_second is not None
    assert report.tasks_per_second > 0
    assert report.peak_memory is not None
    assert report.peak_memory > 2**20
    report.assert_ok(strict=True)


def test_a_good_model_of_generation_2_passes_everything() -> None:
    report = try_out(GoodToo)
    assert set(outcomes(report).values()) == {"ok"}, report.text()
    assert list(outcomes(report))[-6:] == [
        *("Fit", "Start training", "New version"),
        *("Predict after fit", "Fit: skipped task", "Fit: deleted annotation"),
    ]
    assert report.generation == 2
    assert (
        report.check("Predict after fit").summary == "4 of 4 tasks, none changed"
    )  # the fourth label is the first


def test_an_async_model_passes_too() -> None:
    class Async(Good):
        async def predict(self, tasks: Tasks, context: Any = None, **kwargs: Any) -> Any:
            return super().predict(tasks, context)

    try_out(Async).assert_ok(strict=True)


def test_a_task_that_makes_predict_raise_is_named_with_the_line_of_the_author() -> None:
    def answer(task: dict[str, Any]) -> Any:
        if task["id"] == 3:
            raise KeyError("txt")  # here
        return prediction()

    report = try_out(saying(answer))
    assert outcomes(report) | {"Predict": "failed", "Batch": "ok", "Batch = singles": "ok"} == outcomes(report)
    problem = only_problem(report)
    assert (problem.check, problem.task) == ("Predict", "3")
    assert problem.message == "task 3: predict() raised KeyError: 'txt'"
    assert problem.where.startswith("test_run.py, line ")
    assert problem.where.endswith('raise KeyError("txt")  # here')
    assert "in answer" in problem.detail
    assert "host.py" not in problem.detail, "our own frames are of no use to authors"
    assert report.check("Predict").summary.startswith("3 of 4 tasks")
    assert not report.is_ok()


def test_a_wrong_number_of_results_is_found_in_the_batch() -> None:
    class OneForAll(LabelStudioMLBase):
        def predict(self, tasks: Tasks, context: Any = None, **kwargs: Any) -> Any:
            return [prediction()]

    report = try_out(OneForAll)
    problem = only_problem(report)
    assert (problem.check, problem.message) == ("Batch", "predict() returned 1 results for 4 tasks.")
    assert report.check("Batch = singles").outcome is Outcome.SKIPPED


def test_two_results_for_one_task_are_found_at_once() -> None:
    class TwoForOne(LabelStudioMLBase):
        def predict(self, tasks: Tasks, context: Any = None, **kwargs: Any) -> Any:
            return [prediction(), prediction()]

    report = try_out(TwoForOne, count=1)
    assert outcomes(report) | {"Predict": "failed", "Batch": "skipped"} == outcomes(report)
    assert report.problems[0].message == "task 1: predict() returned 2 results for 1 tasks."
    assert "exactly one item per task" in report.problems[0].fix


def test_a_label_that_is_not_in_the_config_is_found_with_the_way_out() -> None:
    report = try_out(saying(lambda task: prediction("Great" if task["id"] % 2 else "Positive")))
    assert report.check("Valid").summary == "2 of 4 predictions are dropped"
    first, second = report.problems
    assert (first.check, first.task, second.task) == ("Valid", "1", "3")
    assert "Great" in first.message
    assert "build_label_map" in first.fix


@pytest.mark.parametrize(
    ("wrong", "fix"),
    [
        ({"from_name": "mood"}, "get_first_tag_occurence"),
        ({"to_name": "picture"}, "get_first_tag_occurence"),
        ({"type": "labels"}, "label_studio_ml.regions"),
        ({"value": {"labels": ["Positive"]}}, "label_studio_ml.regions"),
    ],
)
def test_a_region_that_does_not_fit_is_found(wrong: dict[str, Any], fix: str) -> None:
    report = try_out(saying(lambda _task: {"result": [{**region(), **wrong}]}), count=1)
    problem = only_problem(report)
    assert problem.check == "Valid"
    assert fix in problem.fix


@pytest.mark.parametrize("score", [1.5, -0.1, "high"])
def test_a_score_that_is_none_is_found(score: Any) -> None:
    problem = only_problem(try_out(saying(lambda _task: prediction(score=score)), count=1))
    assert (problem.check, problem.fix) == ("Valid", "`score` is a number from 0 to 1, or left out.")


def test_numpy_values_are_converted_and_said_to_be() -> None:
    def answer(_task: dict[str, Any]) -> Any:
        box = dict(
            zip(("x", "y", "width", "height"), numpy.array([1, 2, 30, 40], dtype=numpy.float32), strict=True)
        )
        value = {**box, "rectanglelabels": numpy.array(["Car"])}
        found = {"from_name": "box", "to_name": "image", "type": "rectanglelabels", "value": value}
        return {"result": [found], "score": numpy.float64(0.25)}

    report = try_out(saying(answer), configs.template("object-detection"))
    report.assert_ok(strict=True)
    assert report.check("JSON").summary == "float32, float64, ndarray converted"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), numpy.float32("nan")])
def test_numbers_that_json_cannot_express_are_found(value: Any) -> None:
    report = try_out(saying(lambda _task: prediction(uncertainty=value)), count=1)
    problem = only_problem(report)
    assert (problem.check, problem.task) == ("JSON", "1")
    assert "which JSON cannot express" in problem.message
    assert not try_out(saying(lambda _task: prediction(score=value)), count=1).is_ok()


def test_what_has_no_json_form_is_found() -> None:
    problem = only_problem(try_out(saying(lambda _task: prediction(model=object())), count=1))
    assert problem.check == "JSON"
    assert "object cannot be written as JSON" in problem.message


def test_a_model_that_answers_differently_in_company_is_warned_of() -> None:
    class Forgetful(LabelStudioMLBase):
        def predict(self, tasks: Tasks, context: Any = None, **kwargs: Any) -> Any:
            return [prediction(score=0.5 if number == 0 else 0.9) for number, _ in enumerate(tasks)]

    report = try_out(Forgetful)
    problem = only_problem(report)
    assert (problem.check, problem.task) == ("Batch = singles", "2")
    assert "score: 0.5 is not 0.9" in problem.message or "score: 0.9 is not 0.5" in problem.message
    assert report.is_ok()
    assert not report.is_ok(strict=True)


def test_rounding_and_fresh_ids_are_no_difference() -> None:
    class Rounding(LabelStudioMLBase):
        def predict(self, tasks: Tasks, context: Any = None, **kwargs: Any) -> Any:
            found = {**region(), "id": f"{random.random()}"}
            return [{"result": [found], "score": 0.5 + 1e-6 * len(tasks)} for _ in tasks]

    assert try_out(Rounding).check("Batch = singles").outcome is Outcome.OK


def test_a_model_that_guesses_is_not_compared() -> None:
    report = try_out(saying(lambda _task: prediction(score=random.random())))
    assert report.check("Batch = singles").outcome is Outcome.SKIPPED
    report.assert_ok(strict=True)


def test_a_model_that_copes_with_single_tasks_only_is_found() -> None:
    class Single(LabelStudioMLBase):
        def predict(self, tasks: Tasks, context: Any = None, **kwargs: Any) -> Any:
            (_task,) = tasks
            return [prediction()]

    problem = only_problem(try_out(Single))
    assert problem.check == "Batch"
    assert "one by one they work" in problem.message
    assert problem.where.endswith("(_task,) = tasks")


def test_a_model_that_is_asked_by_clicks_only_is_fine() -> None:
    seen = []

    class Clicked(LabelStudioMLBase):
        def predict(self, tasks: Tasks, context: Any = None, **kwargs: Any) -> Any:
            if not context:
                return [[] for _ in tasks]
            seen.append(context["result"][0])
            value = {"x": 1, "y": 1, "width": 5, "height": 5, "rectanglelabels": ["Object"]}
            found = {"from_name": "box", "to_name": "image", "type": "rectanglelabels", "value": value}
            return [{"result": [found]}]

    report = try_out(Clicked, configs.template("interactive-segmentation"))
    report.assert_ok(strict=True)
    assert report.check("Predict").summary == "nothing without a click: an interactive model"
    assert report.check("Interactive").summary == "keypointlabels and rectanglelabels answered with 2 regions"
    assert [one["type"] for one in seen] == ["keypointlabels", "rectanglelabels"]
    assert seen[0]["is_positive"] is True


def test_a_click_that_makes_predict_raise_is_found() -> None:
    class Surprised(LabelStudioMLBase):
        def predict(self, tasks: Tasks, context: Any = None, **kwargs: Any) -> Any:
            if context:
                return context["result"][0]["value"]["x"]
            return [prediction() for _ in tasks]

    problem = only_problem(try_out(Surprised))
    assert problem.check == "Interactive"
    assert problem.message == "with a context (choices 'sentiment') predict() raised KeyError: 'x'"


def test_a_model_that_never_shows_anything_is_warned_of() -> None:
    for mute in (Mute, saying(lambda _task: {"result": [], "score": 0.1})):
        report = try_out(mute)
        problem = only_problem(report)
        assert problem.message == "none of the 4 sample tasks got a prediction that shows anything"
        assert report.check("Fit").summary == "the class has no fit()"
        assert report.is_ok()
        assert not report.is_ok(strict=True)


def test_a_model_that_predicts_once_trained_is_fine() -> None:
    class Later(Good):
        def predict(self, tasks: Tasks, context: Any = None, **kwargs: Any) -> Any:
            return super().predict(tasks) if self.train_output else []

    report = try_out(Later)
    report.assert_ok(strict=True)
    assert report.check("Predict").summary == "nothing before a training"


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
    assert report.check("Fit").summary == "TRAIN_EVENTS leaves ANNOTATION_CREATED out"
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


class Fetcher(LabelStudioMLBase):
    """Reads its media as Label Studio has them, and its training data from the API."""

    def predict(self, tasks: Tasks, context: Any = None, **kwargs: Any) -> Any:
        answers = []
        for task in tasks:
            with Image.open(self.get_local_path(task["data"]["image"], task_id=task["id"])) as picture:
                assert picture.size == (320, 240)
                red = picture.getpixel((0, 0))
            assert isinstance(red, tuple)
            value = {"x": 1, "y": 1, "width": 2, "height": 2, "rectanglelabels": ["Car"]}
            found = {"from_name": "box", "to_name": "image", "type": "rectanglelabels", "value": value}
            answers.append({"result": [found], "score": red[0] / 255})
        return answers

    def fit(self, event: str, data: Any, **kwargs: Any) -> Any:
        client = self._get_label_studio_client()
        assert client is not None
        tasks = list(client.tasks.list(project=data["project"]["id"], fields="all"))
        self.set("boxes", sum(len(one["result"]) for task in tasks for one in task.annotations or ()))
        assert self.get("boxes") == 4


def test_media_and_the_api_are_there_for_the_model() -> None:
    report = try_out(Fetcher, configs.template("object-detection"))
    report.assert_ok(strict=True)


def test_a_call_of_the_api_that_is_not_played_is_named() -> None:
    class Curious(GoodToo):
        def fit(self, event: str, data: Any, **kwargs: Any) -> Any:  # type: ignore[override]
            client = self._get_label_studio_client()
            assert client is not None
            client.users.whoami()

    problem = next(one for one in try_out(Curious).problems if one.check == "Fit")
    assert "GET /api/current-user/whoami" in problem.fix
    assert "--project N" in problem.fix


def test_own_tasks_may_be_just_their_data() -> None:
    seen: list[Any] = []

    def answer(task: dict[str, Any]) -> Any:
        seen.append(task)
        return prediction()

    report = try_out(saying(answer), tasks=[{"text": "mine"}, {"text": "own"}])
    report.assert_ok(strict=True)
    assert report.tasks == 2
    assert (seen[0]["id"], seen[0]["data"], seen[1]["id"]) == (1, {"text": "mine"}, 2)


def test_a_config_that_label_studio_would_refuse_ends_it() -> None:
    for xml in (
        '<View><Text name="t" value="$t"/></View>',
        "<View>",
        '<View><Choices name="c" toName="gone"/></View>',
    ):
        report = try_out(Good, configs.LabelConfig(xml, "mine.xml"))
        assert report.problems[0].check == "Labeling config"
        assert "Label Studio would refuse mine.xml" in report.problems[0].message
        assert {check.summary for check in report.checks[1:]} == {"not reached"}
        assert not report.is_ok()


def test_a_class_that_cannot_be_constructed_ends_it() -> None:
    class Unloadable(Good):
        def setup(self) -> None:
            self.get_first_tag_occurence("RectangleLabels", "Image")

    report = try_out(Unloadable)
    problem = only_problem(report)
    assert (problem.check, "ValueError" in problem.message) == ("Load", True)
    assert "get_first_tag_occurence" in problem.where
    assert [check.outcome.value for check in report.checks] == ["ok", "failed"] + ["skipped"] * 11


def test_attributes_that_make_no_sense_are_found_at_load() -> None:
    class Confused(Good):
        TRAIN_ON = "weekends"

    problem = only_problem(try_out(Confused))
    assert (problem.check, problem.message) == (
        "Load",
        "TRAIN_ON of Confused must be `events`, `start` or `never`, not 'weekends'.",
    )


def test_a_prediction_that_takes_too_long_is_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predicting, "DEADLINES", Deadlines(predict=0.01))

    def answer(_task: dict[str, Any]) -> Any:
        deadline = time.perf_counter() + 0.02
        while time.perf_counter() < deadline:
            pass
        return prediction()

    problem = only_problem(try_out(saying(answer), count=1))
    assert problem.check == "Predict"
    assert "Label Studio waits" in problem.message


def script(folder: Path, text: str) -> Source:
    folder.mkdir(exist_ok=True)
    (folder / f"model_of_{folder.name}.py").write_text(text)
    return source.locate(str(folder))


MODEL = """
import os
from pathlib import Path
from label_studio_ml.model import LabelStudioMLBase

WEIGHTS = os.path.join(os.environ["MODEL_DIR"], "weights")
HOST = os.environ["LABEL_STUDIO_URL"]

class Imported(LabelStudioMLBase):
    def __init__(self, label="Positive", **kwargs):
        super().__init__(**kwargs)
        self.label = label

    def predict(self, tasks, **kwargs):
        assert self.hostname == HOST
        value = {"choices": [Path(WEIGHTS).read_text() if os.path.exists(WEIGHTS) else self.label]}
        region = {"from_name": "sentiment", "to_name": "text", "type": "choices", "value": value}
        return [{"result": [region]} for task in tasks]

    def fit(self, event, data, **kwargs):
        with open(WEIGHTS, "w") as file:
            file.write("Neutral")
"""


def test_an_imported_model_finds_its_environment_and_leaves_no_trace(tmp_path: Path) -> None:
    before = dict(os.environ)
    told: list[str] = []
    subject = script(tmp_path / "imported", MODEL)
    report = rehearse(
        subject, Plan(label_config=CHOICES), {"label": "Negative"}, lambda check: told.append(check.name)
    )
    report.assert_ok(strict=True)
    assert told == list(outcomes(report))
    assert told[0] == "Import"
    assert report.check("Predict after fit").summary == "4 of 4 tasks, 4 changed"
    assert dict(os.environ) == before
    written = {path.name for path in (tmp_path / "imported").iterdir()}
    assert written - {"__pycache__"} == {"model_of_imported.py"}


def test_a_function_may_stand_for_a_class(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(functions, "_registered", {})
    code = """
from label_studio_ml.model import predict_fn

@predict_fn
def answer(tasks, context, helper, **kwargs):
    return [] if context else [{"result": [], "score": 1 / (task["id"] - 2)} for task in tasks]

# LabelStudioML
"""
    report = try_out(script(tmp_path / "function", code))
    assert report.check("Predict").problems[0].where.startswith("model_of_function.py, line 6: return []")
    assert "predicting.py" not in report.check("Predict").problems[0].detail


def test_a_slow_import_is_timed_apart(tmp_path: Path) -> None:
    subject = script(tmp_path / "slow", "import time\nt = time.time() + 0.3\nwhile time.time() < t: pass\n" + MODEL)
    report = try_out(subject)
    report.assert_ok()
    assert (report.check("Import").seconds or 0) >= 0.3


def test_an_import_that_fails_is_a_finding_with_its_line(tmp_path: Path) -> None:
    report = try_out(script(tmp_path / "failing", "# LabelStudioML\nimport a_package_that_is_not_there"))
    problem = only_problem(report)
    assert problem.check == "Import"
    assert "No module named 'a_package_that_is_not_there'" in problem.message
    assert problem.where == "model_of_failing.py, line 2: import a_package_that_is_not_there"
    assert not report.is_ok()


def test_a_file_without_a_model_class_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="holds no model class"):
        try_out(script(tmp_path / "none", "# LabelStudioML"))


def test_a_report_is_json_and_readable_text() -> None:
    report = try_out(saying(lambda _task: prediction("Great")), count=1)
    content = json.loads(json.dumps(report.as_dict()))
    assert content["ok"] is False
    assert content["checks"][3]["name"] == "Valid"
    assert content["checks"][3]["problems"][0]["fix"]
    text = report.text(width=80)
    assert max(map(len, text.splitlines())) <= 80
    assert "✘  Valid" in text
    assert "  Fix: Use labels of the labeling config" in text
    plain = report.text(ascii_only=True)
    assert plain.isascii()
    assert "FAIL  Valid" in plain
    with pytest.raises(AssertionError, match="Fix: Use labels"):
        report.assert_ok()
    with pytest.raises(KeyError):
        report.check("Nothing")
