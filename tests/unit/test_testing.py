"""What authors' own tests use: `label_studio_ml.testing`."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from label_studio_ml import testing
from label_studio_ml.checks import configs
from label_studio_ml.errors import UsageError
from label_studio_ml.model import LabelStudioMLBase
from label_studio_ml.testing import (
    Backend,
    backend_fixture,
    check_backend,
    connected,
    mean_score,
    sample_annotation,
    sample_tasks,
    samples_fixture,
    trained_fixture,
)

Tasks = list[dict[str, Any]]
TEXTS, BOXES = "text-classification", "object-detection"


def region(label: str = "Positive") -> dict[str, Any]:
    return {"from_name": "sentiment", "to_name": "text", "type": "choices", "value": {"choices": [label]}}


class Learner(LabelStudioMLBase):
    """Says what it heard last; threshold and extra params are shown in the score."""

    def __init__(self, threshold: float = 0.5, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.threshold = threshold

    def predict(self, tasks: Tasks, context: Any = None, **kwargs: Any) -> Any:
        label = context["result"][0]["value"]["choices"][0] if context else self.get("last") or "Positive"
        return [{"result": [region(label)], "score": self.extra_params.get("score", self.threshold)} for _ in tasks]

    def fit(self, event: str, data: Any, **kwargs: Any) -> Any:
        if event == "ANNOTATION_CREATED" and not data["annotation"]["was_cancelled"]:
            self.set("last", data["annotation"]["result"][0]["value"]["choices"][0])


learner = backend_fixture(Learner, TEXTS, extra_params={"score": 0.25})


def choice(prediction: Any) -> str:
    found: str = prediction["result"][0]["value"]["choices"][0]
    return found


def test_everything_public_is_there() -> None:
    assert all(hasattr(testing, name) for name in testing.__all__)


def test_a_fixture_gives_each_test_a_fresh_backend_that_is_connected(learner: Backend) -> None:
    assert learner.version == "0.0.1"
    (prediction,) = learner.predict([{"text": "a"}])
    assert (choice(prediction), prediction["score"]) == ("Positive", 0.25)
    learner.annotate({"text": "a"}, [region("Negative")])


def test_a_fixture_gives_each_test_a_fresh_backend_again(learner: Backend) -> None:
    assert learner.version == "0.0.1"
    assert choice(learner.predict([{"text": "a"}])[0]) == "Positive"


def test_arguments_for_the_constructor_reach_it() -> None:
    with connected(Learner, TEXTS, threshold=0.75) as backend:
        assert backend.predict([{"text": "a"}])[0]["score"] == 0.75
    assert check_backend(Learner, TEXTS, threshold=0.75).is_ok()
    assert not check_backend(Learner, TEXTS, threshold=7.5).is_ok()


def test_annotations_are_learned_from_before_the_call_returns(learner: Backend) -> None:
    (task,) = learner.sample_tasks(1)
    job = learner.annotate(task, learner.sample_annotation(task, 1))
    assert job is not None
    assert job["state"] == "finished"
    (prediction,) = learner.predict([task])
    assert choice(prediction) == "Negative"
    assert prediction["model_version"] == learner.version != "0.0.1"
    version = learner.version
    learner.annotate(task, [], skipped=True)
    learner.start_training()
    assert learner.version == version


def test_many_annotations_are_learned_from_in_one_training() -> None:
    class Counting(LabelStudioMLBase):
        def predict(self, tasks: Tasks, context: Any = None, **kwargs: Any) -> Any:
            return [{"result": [region(self.train_output["last"])], "score": 0.5} for _ in tasks]

        def fit(self, annotations: Any, workdir: Any = None, **kwargs: Any) -> Any:
            chosen = [one["annotations"][0]["result"][0]["value"]["choices"][0] for one in annotations]
            return {"last": chosen[-1], "count": len(chosen)}

    with connected(Counting, TEXTS) as backend:
        backend.learn([({"text": text}, [region(label)]) for text, label in [("a", "Positive"), ("b", "Negative")]])
        assert choice(backend.predict([{"text": "c"}])[0]) == "Negative"
        assert backend.version.startswith("0001-"), "one training"


def test_an_interactive_call_carries_what_was_clicked(learner: Backend) -> None:
    (prediction,) = learner.predict([{"text": "a"}], context={"result": [region("Neutral")]})
    assert choice(prediction) == "Neutral"


def test_a_fit_that_raises_fails_the_test_with_the_reason() -> None:
    class Fails(Learner):
        def fit(self, event: str, data: Any, **kwargs: Any) -> Any:
            raise ValueError("no gradient")

    with connected(Fails, TEXTS) as backend, pytest.raises(AssertionError, match="no gradient"):
        backend.annotate({"text": "a"}, [region()])


def test_an_event_that_trains_nothing_gives_no_job() -> None:
    class Button(Learner):
        TRAIN_EVENTS = ("START_TRAINING",)

    with connected(Button, TEXTS) as backend:
        assert backend.annotate({"text": "a"}, [region()]) is None
        assert backend.start_training() is not None


def test_a_call_that_goes_wrong_fails_the_test_with_the_reply() -> None:
    class Unloadable(Learner):
        def setup(self) -> None:
            if "score" in self.extra_params:
                raise ValueError("no weights")

    with connected(Unloadable, TEXTS) as backend:
        assert backend.client.get("/health").status_code == 200
        with pytest.raises(AssertionError, match=r"the backend answered 503 .*no weights"):
            backend.setup(extra_params={"score": 1})


def test_methods_can_be_patched(learner: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Learner, "predict", lambda self, tasks, **kwargs: [{"result": [], "score": 0.125}])
    assert learner.predict([{"text": "a"}])[0]["score"] == 0.125


class Opener(LabelStudioMLBase):
    """Opens its images."""

    def predict(self, tasks: Tasks, context: Any = None, **kwargs: Any) -> Any:
        scores = []
        for task in tasks:
            with Image.open(self.get_local_path(task["data"]["image"], task_id=task["id"])) as picture:
                scores.append(picture.width / 1000)
        return [{"result": [], "score": score} for score in scores]


def test_media_of_sample_tasks_can_be_fetched() -> None:
    with connected(Opener, BOXES) as backend:
        tasks = backend.sample_tasks(2)
        assert tasks[0]["data"]["image"].startswith("/data/upload/1/")
        assert [one["score"] for one in backend.predict(tasks)] == [0.32, 0.32]


def test_media_of_ones_own_can_be_fetched(tmp_path: Path) -> None:
    Image.new("RGB", (77, 20)).save(tmp_path / "own.png")
    with connected(Opener, BOXES) as backend:
        address = backend.publish(tmp_path / "own.png")
        assert address.endswith("-own.png")
        assert backend.predict([{"image": address}])[0]["score"] == 0.077


def test_another_labeling_config_can_be_set(learner: Backend) -> None:
    config = '<View><Image name="image" value="$picture"/><Rating name="stars" toName="image"/></View>'
    learner.setup(config)
    (task,) = learner.sample_tasks(1)
    assert set(task["data"]) == {"picture"}
    assert learner.sample_annotation(task)[0]["type"] == "rating"


def test_sample_tasks_stand_alone_with_data_uris_or_files(tmp_path: Path) -> None:
    first, second = sample_tasks(BOXES, 2)
    kind, _, content = first["data"]["image"].partition(",")
    assert kind == "data:image/png;base64"
    assert base64.b64decode(content).startswith(b"\x89PNG")
    assert first["data"] != second["data"]
    (task,) = sample_tasks(BOXES, 1, tmp_path / "media")
    assert Path(task["data"]["image"]).read_bytes() == base64.b64decode(content)
    assert sample_annotation(BOXES, task, 1)["result"][0]["value"]["rectanglelabels"] == ["Person"]


def test_the_labeling_config_is_looked_for_beside_the_class(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "beside.py").write_text("from tests.unit.test_testing import Learner\nclass Mine(Learner): pass\n")
    from beside import Mine  # type: ignore[import-not-found]

    with pytest.raises(UsageError, match=r"Which labeling config\?"):
        check_backend(Mine)
    (tmp_path / "label_config.xml").write_text(configs.template(TEXTS).xml)
    report = check_backend(Mine)
    report.assert_ok(strict=True)
    assert report.label_config == "label_config.xml"
    assert check_backend(Mine, tmp_path / "label_config.xml", tasks=[{"text": "mine"}]).tasks == 1


def made(folder: Path) -> Tasks:
    """Two tasks, of which the first has a file."""
    (folder / "note.txt").write_text("a note")
    labels = {"note.txt": "Negative", "plain": "Positive"}
    return [{"data": {"text": text}, "answer": [region(label)]} for text, label in labels.items()]


class Parrot(LabelStudioMLBase):
    """Says what the last annotated task says."""

    def predict(self, tasks: Tasks, context: Any = None, **kwargs: Any) -> Any:
        return [{"result": self.train_output["last"]} for _ in tasks]

    def fit(self, annotations: Any, workdir: Any = None, **kwargs: Any) -> Any:
        return {"last": list(annotations)[-1]["annotations"][0]["result"]}


samples = samples_fixture(made)
trained = trained_fixture(Parrot, TEXTS, learned=1)


def test_files_of_samples_go_by_their_path_and_all_else_stays(samples: Tasks) -> None:
    assert samples[0]["data"]["text"].read_text() == "a note"
    assert samples[1] == {"data": {"text": "plain"}, "answer": [region("Positive")]}


def test_a_trained_backend_has_learned_from_the_first_samples_alone(trained: Backend, samples: Tasks) -> None:
    assert choice(trained.predict([{"text": "a"}])[0]) == "Negative"


def test_the_score_of_a_backend_is_the_mean_over_samples(trained: Backend, samples: Tasks) -> None:
    assert mean_score(trained, samples, lambda found, right: float(found[0]["value"] == right[0]["value"])) == 0.5


class Reader(LabelStudioMLBase):
    """Fetches the file of each task."""

    def predict(self, tasks: Tasks, context: Any = None, **kwargs: Any) -> Any:
        paths = [Path(self.get_local_path(task["data"]["text"], task_id=task["id"])) for task in tasks]
        return [{"result": [], "note": path.read_text()} for path in paths]


@pytest.mark.parametrize("whole", [False, True])
def test_a_file_in_the_data_of_a_task_is_uploaded(tmp_path: Path, whole: bool) -> None:
    (tmp_path / "note.txt").write_text("a note")
    data = {"text": tmp_path / "note.txt"}
    with connected(Reader, TEXTS) as backend:
        (found,) = backend.predict([{"id": 5, "data": data} if whole else data])
    assert found["note"] == "a note"
