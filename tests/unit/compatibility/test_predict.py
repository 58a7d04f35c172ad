"""Every way in which authors have written predict() gives Label Studio predictions it accepts."""

from __future__ import annotations

import asyncio
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from label_studio_sdk.label_interface.objects import PredictionValue

from label_studio_ml.author import loading, source
from label_studio_ml.instance import functions
from label_studio_ml.model import LabelStudioMLBase, ModelResponse
from tests.support.in_process_backend import region, served

Tasks = list[dict[str, Any]]


class Versioned(LabelStudioMLBase):
    def setup(self) -> None:
        self.set("model_version", "1.2.3")


class Dicts(Versioned):
    def predict(self, tasks: Tasks, context: Any = None, **kwargs: Any) -> Any:
        return [{"result": [region()], "score": 0.5} for _ in tasks]


class DictsWithVersion(Versioned):
    def predict(self, tasks: Tasks, context: Any = None, **kwargs: Any) -> Any:
        return [{"result": [region()], "score": 0.5, "model_version": self.get("model_version")} for _ in tasks]


class DictsWithVersionObject(Versioned):
    def predict(self, tasks: Tasks, context: Any = None, **kwargs: Any) -> Any:
        return [{"result": [region()], "score": 0.5, "model_version": str(self.model_version)} for _ in tasks]


class Values(Versioned):
    def predict(self, tasks: Tasks, context: Any = None, **kwargs: Any) -> Any:
        return [PredictionValue(result=[region()], score=0.5) for _ in tasks]


class ValuesOfRegions(Versioned):
    def predict(self, tasks: Tasks, context: Any = None, **kwargs: Any) -> Any:
        name, _, _ = self.label_interface.get_first_tag_occurence("Choices", "Text")
        made = self.label_interface.get_tag(name).label(["Positive"])
        return [PredictionValue(result=[made], score=0.5) for _ in tasks]


class DictsOfRegions(Versioned):
    def predict(self, tasks: Tasks, context: Any = None, **kwargs: Any) -> Any:
        made = self.label_interface.get_tag("sentiment").label(["Positive"])
        return [{"result": [made], "score": 0.5} for _ in tasks]


class Response(Versioned):
    def predict(self, tasks: Tasks, context: Any = None, **kwargs: Any) -> ModelResponse:
        predictions = [PredictionValue(result=[region()], score=0.5) for _ in tasks]
        return ModelResponse(predictions=predictions, model_version=str(self.model_version))


class ResponseOfDicts(Versioned):
    def predict(self, tasks: Tasks, context: Any = None, **kwargs: Any) -> ModelResponse:
        return ModelResponse(predictions=[{"result": [region()], "score": 0.5} for _ in tasks])


class Wrapped(Versioned):
    def predict(self, tasks: Tasks, context: Any = None, **kwargs: Any) -> Any:
        return {"predictions": [{"result": [region()], "score": 0.5} for _ in tasks]}


class Yields(Versioned):
    def predict(self, tasks: Tasks, context: Any = None, **kwargs: Any) -> Iterator[Any]:
        for _ in tasks:
            yield {"result": [region()], "score": 0.5}


class Awaits(Versioned):
    async def predict(self, tasks: Tasks, context: Any = None, **kwargs: Any) -> Any:
        await asyncio.sleep(0)
        return [{"result": [region()], "score": 0.5} for _ in tasks]


class OnlyTasks(Versioned):
    def predict(self, tasks: Tasks) -> Any:  # type: ignore[override]
        return [{"result": [region()], "score": 0.5} for _ in tasks]


class OnlyKeywords(Versioned):
    def predict(self, tasks: Tasks, **kwargs: Any) -> Any:  # type: ignore[override]
        assert "context" in kwargs
        return [{"result": [region()], "score": 0.5} for _ in tasks]


class OnlyContext(Versioned):
    def predict(self, tasks: Tasks, context: Any) -> Any:  # type: ignore[override]
        return [{"result": [region()], "score": 0.5} for _ in tasks]


class AnyArguments(Versioned):
    def predict(self, tasks: Tasks, context: Any = None, *args: Any, **kwargs: Any) -> Any:
        return [{"result": [region()], "score": 0.5} for _ in tasks]


STYLES = [
    Dicts,
    DictsWithVersion,
    DictsWithVersionObject,
    Values,
    ValuesOfRegions,
    DictsOfRegions,
    Response,
    ResponseOfDicts,
    Wrapped,
    Yields,
    Awaits,
    OnlyTasks,
    OnlyKeywords,
    OnlyContext,
    AnyArguments,
]


@pytest.mark.parametrize("style", STYLES, ids=lambda style: style.__name__)
def test_a_style_of_predict_is_understood(style: type[Any], tmp_path: Path) -> None:
    with served(style, tmp_path) as backend:
        setup = backend.setup()
        results = backend.predict("a", "b", "c")

    assert setup == "1.2.3"
    assert len(results) == 3
    for prediction in results:
        assert prediction["score"] == 0.5
        assert prediction["model_version"] == "1.2.3"
        (found,) = prediction["result"]
        assert found["value"] == {"choices": ["Positive"]}
        assert (found["from_name"], found["to_name"], found["type"]) == ("sentiment", "text", "choices")


@pytest.mark.parametrize("style", STYLES, ids=lambda style: style.__name__)
def test_a_style_of_predict_is_understood_by_interactive_calls(style: type[Any], tmp_path: Path) -> None:
    with served(style, tmp_path) as backend:
        backend.setup()
        (prediction,) = backend.predict("a", context={"result": [region()]})
    assert prediction["score"] == 0.5


def test_several_predictions_for_a_task_all_arrive(tmp_path: Path) -> None:
    class Committee(Versioned):
        def predict(self, tasks: Tasks, context: Any = None, **kwargs: Any) -> Any:
            return [
                [
                    PredictionValue(result=[region("Positive")], score=0.9),
                    PredictionValue(result=[region("Negative")], score=0.1, model_version="other"),
                ]
                for _ in tasks
            ]

    with served(Committee, tmp_path) as backend:
        first, second = backend.predict("a", "b")
    assert first == second
    assert [prediction["model_version"] for prediction in first] == ["1.2.3", "other"]


@pytest.mark.parametrize("nothing", [None, [], ModelResponse(predictions=[]), {"predictions": []}])
def test_no_predictions_are_no_failure(nothing: Any, tmp_path: Path) -> None:
    class WaitsForAClick(Versioned):
        def predict(self, tasks: Tasks, context: Any = None, **kwargs: Any) -> Any:
            return [{"result": context["result"], "score": 1.0} for _ in tasks] if context else nothing

    with served(WaitsForAClick, tmp_path) as backend:
        assert backend.predict("a", "b") == [[], []]
        assert backend.client.get("/health").json["problems"] == []
        assert backend.predict("a", context={"result": [region()]})[0]["result"] == [region()]


def test_predict_sees_tasks_and_context_as_label_studio_sent_them(tmp_path: Path) -> None:
    seen: list[Any] = []

    class Looks(LabelStudioMLBase):
        def predict(self, tasks: Tasks, context: Any = None, **kwargs: Any) -> Any:
            seen.append((tasks, context, kwargs))
            return [{"result": []} for _ in tasks]

    task = {"id": 5, "data": {"text": "ü", "n": 1.5}, "meta": {}, "annotations": [], "predictions": []}
    context = {"result": [region()], "annotation_id": 3}
    params = {"login": "me", "password": "x", "context": context}
    with served(Looks, tmp_path) as backend:
        backend.client.post("/predict", json={"tasks": [task], "project": "1", "params": params})

    assert seen == [([task], context, {"login": "me", "password": "x"})]


def test_without_a_project_the_name_from_setup_is_used_all_the_same(tmp_path: Path) -> None:
    with served(Dicts, tmp_path) as backend:
        (prediction,) = backend.predict("a", project="")
    assert prediction["model_version"] == "1.2.3"


@pytest.fixture
def forget_registered_functions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(functions, "_registered", {})


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], type[Any]]]:
    """Writes a script and loads the class that is served for it."""
    monkeypatch.setattr(sys, "path", [*sys.path])

    def write(text: str) -> type[Any]:
        path = tmp_path / "functions_of_an_author.py"
        path.write_text(textwrap.dedent(text))
        return loading.load(source.locate(str(path)))[0]

    yield write
    sys.modules.pop("functions_of_an_author", None)


@pytest.mark.usefixtures("forget_registered_functions")
def test_registered_functions_need_no_class(script: Callable[[str], type[Any]], tmp_path: Path) -> None:
    found = script(
        """
        from label_studio_ml.model import predict_fn, update_fn

        @predict_fn
        def answer(tasks, context, helper, **kwargs):
            seen = helper.get("seen") or []
            return [{"result": [], "score": len(seen) / 100} for _ in tasks]

        @update_fn
        def learn(event, payload, helper, **kwargs):
            helper.set("seen", [*(helper.get("seen") or []), [event, payload["annotation"]["id"], sorted(kwargs)]])
        """
    )
    assert found is LabelStudioMLBase
    with served(found, tmp_path / "state") as backend:
        backend.setup()
        assert backend.predict("a")[0]["score"] == 0
        backend.annotate(1)
        backend.annotate(2)
        assert backend.predict("a")[0]["score"] == 0.02


@pytest.mark.usefixtures("forget_registered_functions")
def test_a_registered_function_alone_predicts(script: Callable[[str], type[Any]], tmp_path: Path) -> None:
    found = script(
        """
        from label_studio_ml.model import predict_fn

        @predict_fn
        async def answer(tasks, context=None, helper=None, **kwargs):
            name, to_name, value = helper.get_first_tag_occurence("Choices", "Text")
            return [{"result": [], "score": 0.25, "who": name} for _ in tasks]
        """
    )
    with served(found, tmp_path / "state") as backend:
        backend.setup()
        assert backend.predict("a")[0]["who"] == "sentiment"
        assert backend.annotate().status_code == 201, "there is nothing to train"
