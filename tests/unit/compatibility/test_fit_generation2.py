"""Every way in which authors have written fit(event, data) learns, and predictions come from what was learned."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.support.in_process_backend import served
from tests.support.learning_models import Learner, Remembers, Tasks


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
