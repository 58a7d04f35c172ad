"""What the checks say about whole models, and what they leave behind."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from label_studio_ml.author import source
from label_studio_ml.checks import configs
from label_studio_ml.checks.plan import Plan
from label_studio_ml.checks.run import run_checks
from label_studio_ml.errors import SourceError
from label_studio_ml.instance import functions
from label_studio_ml.model import LabelStudioMLBase
from label_studio_ml.processes.messages import Source
from tests.support.checked_models import (
    CHOICES,
    Good,
    GoodToo,
    Tasks,
    only_problem,
    outcomes,
    prediction,
    saying,
    try_out,
)


class Mute(LabelStudioMLBase):
    """No fit(), and nothing to say."""

    def predict(self, tasks: Tasks, context: Any = None, **kwargs: Any) -> Any:
        return [[] for _ in tasks]


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
    report = run_checks(
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
