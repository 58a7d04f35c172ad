"""Every way in which authors have written fit() learns, and predictions come from what was learned."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from label_studio_ml.model import LabelStudioMLBase
from tests.inprocess import PROJECT, annotation, served

Tasks = list[dict[str, Any]]


class Learner(LabelStudioMLBase):
    """Its predictions show in `meta` what it has learned."""

    def learned(self) -> float:
        return float(self.train_output.get("score", 0))

    def predict(self, tasks: Tasks, context: Any = None, **kwargs: Any) -> Any:
        return [{"result": [], "meta": self.learned()} for _ in tasks]


# --- generation 1: the whole annotated set -----------------------------------------------------------------


class Completions(Learner):
    def fit(self, completions: Iterable[Any], workdir: str | None = None, **kwargs: Any) -> Any:
        return {"score": len(list(completions))}


class GivenTasks(Learner):
    def fit(self, tasks: Any, workdir: Any = None, **kwargs: Any) -> Any:
        return {"score": len([task for task in tasks if task["annotations"][0]["result"]])}


class Annotations(Learner):
    def fit(self, annotations: Any, **kwargs: Any) -> Any:
        return {"score": len(annotations)}


class AnnotationsAndWorkdir(Learner):
    def fit(self, annotations: Any, workdir: Any) -> Any:
        return {"score": len(annotations) if Path(workdir).is_dir() else -1}


class OnlyAnnotations(Learner):
    def fit(self, annotations: Any) -> Any:
        return {"score": len(annotations)}


class NamesWhatItTakes(Learner):
    def fit(
        self,
        tasks: Any,
        workdir: Any = None,
        batch_size: int = 32,
        event: str = "",
        job_id: str = "",
        **kwargs: Any,
    ) -> Any:
        assert event == "ANNOTATION_CREATED"
        assert job_id
        assert kwargs["data"]["annotation"]["id"]
        return {"score": len(tasks), "batch_size": batch_size}


FIRST_GENERATION = [
    Completions,
    GivenTasks,
    Annotations,
    AnnotationsAndWorkdir,
    OnlyAnnotations,
    NamesWhatItTakes,
]


@pytest.mark.parametrize("style", FIRST_GENERATION, ids=lambda style: style.__name__)
def test_a_generation_1_fit_learns_from_all_annotated_tasks(style: type[Any], tmp_path: Path) -> None:
    with served(style, tmp_path) as backend:
        before = backend.setup()
        assert backend.predict("x")[0]["meta"] == 0
        for number in (1, 2, 3):
            reply = backend.annotate(number)
            assert backend.job(reply)["job_status"] == "finished", backend.job(reply)
        (prediction,) = backend.predict("x")
        assert prediction["meta"] == 3
        assert prediction["model_version"] == backend.setup() == backend.versions()[0] != before
    with served(style, tmp_path) as backend:
        assert backend.predict("x")[0]["meta"] == 3, "it is still known after a restart"


def test_a_generation_1_fit_gets_tasks_as_label_studio_exports_them(tmp_path: Path) -> None:
    seen: list[Any] = []

    class Looks(Learner):
        def fit(self, annotations: Any, workdir: Any = None, **kwargs: Any) -> Any:
            seen.append(list(annotations))
            again = [task for task in annotations for _ in task["annotations"]]
            return {"score": len(again), "first": annotations[0]["id"]}

    with served(Looks, tmp_path) as backend:
        backend.annotate(5, "Negative")

    assert seen == [[{"id": 5, "data": {"text": "text 5"}, "annotations": [annotation(5, "Negative")]}]]


def test_the_tasks_of_a_train_request_are_what_is_learned_from(tmp_path: Path) -> None:
    tasks = [{"id": n, "data": {"text": "t"}, "annotations": [annotation(n)]} for n in (1, 2)]
    with served(Completions, tmp_path) as backend:
        backend.setup()
        reply = backend.client.post("/train", json={"annotations": tasks, "project": PROJECT, "label_config": None})
        assert reply.status_code == 201
        assert backend.job(reply)["job_status"] == "finished"
        assert backend.predict("x")[0]["meta"] == 2


def test_an_annotation_that_was_deleted_is_learned_from_no_more(tmp_path: Path) -> None:
    with served(Completions, tmp_path) as backend:
        backend.annotate(1)
        backend.annotate(2)
        backend.send("ANNOTATIONS_DELETED", annotations=[{"id": 1}])
        assert backend.predict("x")[0]["meta"] == 1


def test_train_output_is_known_to_the_constructor(tmp_path: Path) -> None:
    class Loads(Learner):
        def __init__(self, train_output: Any = None, **kwargs: Any) -> None:
            super().__init__(train_output=train_output, **kwargs)
            self.from_argument = (train_output or {}).get("score", 0)
            self.from_member = self.train_output.get("score", 0)

        def learned(self) -> float:
            assert self.from_argument == self.from_member
            return float(self.from_argument)

        def fit(self, annotations: Any, workdir: Any = None, **kwargs: Any) -> Any:
            return {"score": 8}

    with served(Loads, tmp_path) as backend:
        assert backend.predict("x")[0]["meta"] == 0
        backend.annotate()
        assert backend.predict("x")[0]["meta"] == 8


def test_files_in_the_workdir_are_kept_with_the_version(tmp_path: Path) -> None:
    class Files(Learner):
        def learned(self) -> float:
            path = self.train_output.get("weights")
            return float(Path(path).read_text()) if path else 0

        def fit(self, annotations: Any, workdir: str | None = None, **kwargs: Any) -> Any:
            assert workdir is not None
            assert list(Path(workdir).iterdir()) == [], "it is a fresh folder"
            path = workdir + "/weights.txt"
            Path(path).write_text(str(len(annotations)))
            return {"weights": path}

    with served(Files, tmp_path) as backend:
        backend.annotate(1)
        backend.annotate(2)
        assert backend.predict("x")[0]["meta"] == 2
    with served(Files, tmp_path) as backend:
        assert backend.predict("x")[0]["meta"] == 2
        assert len(list(tmp_path.glob("versions/7/*/weights.txt"))) == 2, "the older version has its own still"


# --- generation 2: every event ------------------------------------------------------------------------------


class Remembers(Learner):
    def learned(self) -> float:
        return len(self.get("events") or [])

    def remember(self, *what: Any) -> None:
        self.set("events", [*(self.get("events") or []), list(what)])


class EventAndData(Remembers):
    def fit(self, event: str, data: Any, **kwargs: Any) -> None:
        self.remember(event, data["annotation"]["id"], sorted(kwargs))


class AdditionalParams(Remembers):
    def fit(self, event: str, data: Any, **additional_params: Any) -> None:
        assert additional_params["job_id"]
        self.remember(event, data["annotation"]["id"], sorted(additional_params))


class NamesTheJob(Remembers):
    def fit(self, event: str, data: Any, job_id: str) -> None:
        assert job_id
        self.remember(event, data["annotation"]["id"])


class NothingElse(Remembers):
    def fit(self, event: str, data: Any) -> None:
        self.remember(event, data["annotation"]["id"])


class OtherOrder(Remembers):
    def fit(self, data: Any, event: str, **kwargs: Any) -> None:
        self.remember(event, data["annotation"]["id"])


class ByKeyword(Remembers):
    def fit(self, *, event: str, data: Any, **kwargs: Any) -> None:
        self.remember(event, data["annotation"]["id"])


class AnyKeywords(Remembers):
    def fit(self, **kwargs: Any) -> None:
        self.remember(kwargs["event"], kwargs["data"]["annotation"]["id"])


class AnyArguments(Remembers):
    def fit(self, *args: Any, **kwargs: Any) -> None:
        self.remember(kwargs["event"], kwargs["data"]["annotation"]["id"])


SECOND_GENERATION = [
    EventAndData,
    AdditionalParams,
    NamesTheJob,
    NothingElse,
    OtherOrder,
    ByKeyword,
    AnyKeywords,
    AnyArguments,
]


@pytest.mark.parametrize("style", SECOND_GENERATION, ids=lambda style: style.__name__)
def test_a_generation_2_fit_gets_every_event_in_order(style: type[Any], tmp_path: Path) -> None:
    class Shows(style):  # type: ignore[misc]
        def predict(self, tasks: Tasks, context: Any = None, **kwargs: Any) -> Any:
            return [{"result": [], "meta": self.get("events")} for _ in tasks]

    with served(Shows, tmp_path) as backend:
        before = backend.setup()
        for number in (1, 2, 3):
            reply = backend.annotate(number)
            assert backend.job(reply)["job_status"] == "finished", backend.job(reply)
        (prediction,) = backend.predict("x")
        assert [event[:2] for event in prediction["meta"]] == [
            ["ANNOTATION_CREATED", number] for number in (1, 2, 3)
        ]
        assert prediction["model_version"] == backend.setup() == backend.versions()[0] != before
    with served(Shows, tmp_path) as backend:
        assert len(backend.predict("x")[0]["meta"]) == 3, "it is still known after a restart"


def test_a_returned_dict_becomes_train_output_also_in_generation_2(tmp_path: Path) -> None:
    class Returns(Learner):
        def fit(self, event: str, data: Any, **kwargs: Any) -> Any:
            return {"score": self.train_output.get("score", 0) + 1}

    with served(Returns, tmp_path) as backend:
        backend.annotate(1)
        backend.annotate(2)
        assert backend.predict("x")[0]["meta"] == 2


def test_files_under_the_model_folder_are_found_by_the_next_instance(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODEL_DIR", str(tmp_path))

    class Files(Learner):
        MODEL_DIR = os.getenv("MODEL_DIR", ".")

        def setup(self) -> None:
            path = Path(self.MODEL_DIR, "model.json")
            self.weights = json.loads(path.read_text()) if path.exists() else 0

        def learned(self) -> float:
            return float(self.weights)

        def fit(self, event: str, data: Any, **kwargs: Any) -> None:
            Path(self.MODEL_DIR, "model.json").write_text(json.dumps(self.weights + 1))

    with served(Files, tmp_path) as backend:
        before = backend.setup()
        backend.annotate(1)
        backend.annotate(2)
        (prediction,) = backend.predict("x")
        assert prediction["meta"] == 2
        assert prediction["model_version"] != before


def test_a_fit_that_changes_nothing_makes_no_version(tmp_path: Path) -> None:
    class Skips(Learner):
        def fit(self, event: str, data: Any, **kwargs: Any) -> None:
            self.get("anything")

    with served(Skips, tmp_path) as backend:
        before = backend.setup()
        reply = backend.annotate()
        assert backend.job(reply)["job_status"] == "finished"
        assert backend.setup() == before
        assert backend.versions() == [before]
        assert not list(tmp_path.glob("versions/*/*"))


# --- which events --------------------------------------------------------------------------------------------


class Events(Remembers):
    def predict(self, tasks: Tasks, context: Any = None, **kwargs: Any) -> Any:
        return [{"result": [], "meta": self.get("events") or []} for _ in tasks]

    def fit(self, event: str, data: Any, **kwargs: Any) -> None:
        one, many = data.get("annotation") or {}, data.get("annotations") or []
        self.remember(event, one.get("id"), [each["id"] for each in many])


SENT: list[tuple[str, dict[str, Any]]] = [
    ("ANNOTATION_CREATED", {"annotation": annotation(1)}),
    ("ANNOTATIONS_CREATED", {"annotations": [annotation(2), annotation(3)]}),
    ("ANNOTATION_UPDATED", {"annotation": annotation(1)}),
    ("ANNOTATIONS_DELETED", {"annotations": [{"id": 2}, {"id": 3}]}),
    ("TASKS_CREATED", {"tasks": [{"id": 9}]}),
    ("PROJECT_UPDATED", {}),
    ("START_TRAINING", {}),
]


@pytest.mark.parametrize(
    ("train_events", "expected"),
    [
        (
            LabelStudioMLBase.TRAIN_EVENTS,
            [
                ["ANNOTATION_CREATED", 1, []],
                ["ANNOTATION_CREATED", 2, [2, 3]],
                ["ANNOTATION_CREATED", 3, [2, 3]],
                ["ANNOTATION_UPDATED", 1, []],
                ["ANNOTATION_DELETED", 2, [2, 3]],
                ["ANNOTATION_DELETED", 3, [2, 3]],
                ["START_TRAINING", None, []],
            ],
        ),
        (
            ("ANNOTATIONS_CREATED", "ANNOTATIONS_DELETED"),
            [
                ["ANNOTATIONS_CREATED", 1, [1]],
                ["ANNOTATIONS_CREATED", None, [2, 3]],
                ["ANNOTATIONS_DELETED", None, [2, 3]],
                ["START_TRAINING", None, []],
            ],
        ),
        (
            ["PROJECT_UPDATED", "TASK_CREATED"],
            [["TASK_CREATED", None, []], ["PROJECT_UPDATED", None, []], ["START_TRAINING", None, []]],
        ),
        ((), [["START_TRAINING", None, []]]),
    ],
)
def test_fit_gets_the_events_the_author_names_in_the_authors_spelling(
    train_events: Any, expected: list[Any], tmp_path: Path
) -> None:
    class Chosen(Events):
        TRAIN_EVENTS = train_events

    with served(Chosen, tmp_path) as backend:
        for action, payload in SENT:
            assert backend.send(action, **payload).status_code in (200, 201)
        assert backend.predict("x")[0]["meta"] == expected


def test_only_events_that_train_get_a_job(tmp_path: Path) -> None:
    with served(Events, tmp_path) as backend:
        ignored, taken = backend.send("TASKS_CREATED", tasks=[{"id": 1}]), backend.annotate()
    assert (ignored.status_code, "job" in ignored.json) == (201, False)
    assert (taken.status_code, "job" in taken.json) == (201, True)


def test_process_event_can_be_overridden_to_choose(tmp_path: Path) -> None:
    class Chooses(Events):
        def process_event(self, event: str, data: Any, job_id: str, additional_params: Any) -> Any:
            assert job_id
            assert Path(additional_params["workdir"]).is_dir()
            if data.get("annotation", {}).get("id") == 1:
                return None
            return super().process_event(event, data, job_id, additional_params)

    with served(Chooses, tmp_path) as backend:
        backend.annotate(1)
        backend.annotate(2)
        assert [event[1] for event in backend.predict("x")[0]["meta"]] == [2]


def test_process_event_can_replace_fit(tmp_path: Path) -> None:
    class NoFit(Learner):
        def process_event(self, event: str, data: Any, job_id: str, additional_params: Any) -> Any:
            return {"score": data["annotation"]["id"]}

    with served(NoFit, tmp_path) as backend:
        backend.annotate(4)
        assert backend.predict("x")[0]["meta"] == 4


def test_process_event_can_call_fit_as_older_packages_did(tmp_path: Path) -> None:
    class Calls(Events):
        def process_event(self, event: str, data: Any, job_id: str, additional_params: Any) -> Any:
            return self.fit(event=event, data=data, job_id=job_id, **additional_params)

    class CallsFirst(Learner):
        def process_event(self, event: str, data: Any, job_id: str, additional_params: Any) -> Any:
            return self.fit((), event=event, data=data, job_id=job_id, **additional_params)

        def fit(self, tasks: Any, workdir: Any = None, **kwargs: Any) -> Any:
            assert workdir
            return {"score": kwargs["data"]["annotation"]["id"]}

    with served(Calls, tmp_path / "2") as backend:
        backend.annotate(1)
        assert backend.predict("x")[0]["meta"] == [["ANNOTATION_CREATED", 1, []]]
    with served(CallsFirst, tmp_path / "1") as backend:
        backend.annotate(3)
        assert backend.predict("x")[0]["meta"] == 3


def test_a_class_without_fit_learns_nothing(tmp_path: Path) -> None:
    with served(Learner, tmp_path) as backend:
        reply = backend.annotate()
        assert reply.status_code == 201
        assert "job" not in reply.json
        assert backend.client.get("/is_training?project=7").json["is_training"] is False


# --- what can go wrong ---------------------------------------------------------------------------------------


class Fails(Remembers):
    def fit(self, event: str, data: Any, **kwargs: Any) -> Any:
        self.set("events", ["of a training that failed"])
        self.set("model_version", "never")
        Path(kwargs["workdir"], "half-written").touch()
        if data["annotation"]["id"] == 1:
            raise RuntimeError("out of memory")
        if data["annotation"]["id"] == 2:
            raise SystemExit(1)
        return {"weights": object()}


@pytest.mark.parametrize(("number", "says"), [(1, "out of memory"), (2, "SystemExit"), (3, "not JSON")])
def test_a_training_that_fails_leaves_nothing_and_says_why(number: int, says: str, tmp_path: Path) -> None:
    with served(Fails, tmp_path) as backend:
        before = backend.setup()
        reply = backend.annotate(number)
        job = backend.job(reply)
        (prediction,) = backend.predict("x")

        assert reply.status_code == 201
        assert job["job_status"] == "failed"
        assert says in job["error"]
        assert "Traceback" not in json.dumps(job)
        assert prediction["meta"] == 0
        assert prediction["model_version"] == backend.setup() == before
        assert backend.versions() == [before]
        assert not list(tmp_path.glob("versions/*/*"))


def test_a_version_named_in_fit_is_what_everyone_calls_it(tmp_path: Path) -> None:
    class Names(Remembers):
        def setup(self) -> None:
            self.set("model_version", "constant")

        def fit(self, event: str, data: Any, **kwargs: Any) -> None:
            self.set("model_version", f"trained-on-{data['annotation']['id']}")

    with served(Names, tmp_path) as backend:
        assert backend.setup() == "constant"
        backend.annotate(5)
        assert backend.setup() == backend.predict("x")[0]["model_version"] == "trained-on-5"
        assert backend.versions() == ["trained-on-5", "constant"]


def test_a_version_bumped_in_fit_counts_up(tmp_path: Path) -> None:
    class Bumps(Remembers):
        def fit(self, event: str, data: Any, **kwargs: Any) -> None:
            self.bump_model_version()

    with served(Bumps, tmp_path) as backend:
        backend.setup()
        backend.annotate(1)
        backend.annotate(2)
        assert backend.versions() == ["0.2.0", "0.1.0", "0.0.1"]
        assert backend.predict("x")[0]["model_version"] == "0.2.0"
