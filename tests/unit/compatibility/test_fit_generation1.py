"""Every way in which authors have written fit(annotations) learns, and predictions come from what was learned."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from tests.support.in_process_backend import PROJECT, annotation, served
from tests.support.learning_models import Learner


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
