"""Which events reach fit(), and how process_event() changes that."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from label_studio_ml.model import LabelStudioMLBase
from tests.support.in_process_backend import annotation, served
from tests.support.learning_models import Learner, Remembers, Tasks


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
