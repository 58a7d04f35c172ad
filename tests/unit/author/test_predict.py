"""The author's predict() called with real requests: whatever it does costs no more than it must."""

from __future__ import annotations

import asyncio
import threading
from typing import Any, ClassVar

import msgspec
import numpy as np
import pytest

from label_studio_ml.model import LabelStudioMLBase
from label_studio_ml.processes.messages import REASONS, Answer, Predict
from tests.support.host_bench import Counting, MakeBench, Tasks
from tests.support.in_process_backend import CONFIG, region

BAD = "bad"


# --- when predict() raises ----------------------------------------------------------------------------------


@pytest.mark.parametrize("place", [0, 3, 7])
def test_the_one_task_that_raises_is_found_and_costs_itself_only(place: int, bench: MakeBench) -> None:
    class Raises(Counting):
        def one(self, text: str) -> Any:
            if text == BAD:
                raise ValueError("cannot read this one")
            return super().one(text)

    texts = ["good"] * 8
    texts[place] = BAD
    answer = bench(Raises).answer(texts)

    assert [item == b"[]" for item in answer.results] == [text == BAD for text in texts]
    (problem,) = answer.problems
    assert (problem.place, problem.task, problem.kind) == (place, str(place + 1), "predict")
    assert problem.message == "predict() raised ValueError: cannot read this one"
    assert len(Raises.calls) == 7, "the whole, then halves down to the single task"


def test_a_task_that_raises_does_not_cost_other_requests(bench: MakeBench) -> None:
    class Raises(Counting):
        def one(self, text: str) -> Any:
            if text == BAD:
                raise ValueError
            return super().one(text)

    answer = bench(Raises).answer(["a", "b"], ["c", BAD], ["d"])
    assert [item == b"[]" for item in answer.results] == [False, False, False, True, False]
    assert [(problem.place, problem.task) for problem in answer.problems] == [(3, "4")]
    assert answer.mergeable


def test_a_model_that_always_raises_is_not_tried_for_ever(bench: MakeBench) -> None:
    class AlwaysRaises(Counting):
        def results(self, texts: list[str]) -> Any:
            raise RuntimeError("no GPU")

    answer = bench(AlwaysRaises).answer(["x"] * 64)
    assert answer.results == [b"[]"] * 64
    assert len(answer.problems) == 64
    assert {problem.message for problem in answer.problems} == {"predict() raised RuntimeError: no GPU"}
    assert len(AlwaysRaises.calls) < 30


def test_many_bad_tasks_do_not_cost_the_good_ones(bench: MakeBench) -> None:
    class Raises(Counting):
        def one(self, text: str) -> Any:
            if text == BAD:
                raise ValueError
            return super().one(text)

    texts = ["good", *[BAD] * 20, "good"]
    results = bench(Raises).predict(*texts)
    assert [bool(result) for result in results] == [text != BAD for text in texts]


def test_exit_in_predict_ends_the_prediction_and_not_the_process(bench: MakeBench) -> None:
    class Exits(Counting):
        def one(self, text: str) -> Any:
            if text == BAD:
                raise SystemExit(2)
            return super().one(text)

    answer = bench(Exits).answer(["a", BAD])
    assert answer.results[1] == b"[]"
    assert answer.results[0] != b"[]"
    assert answer.problems[0].message == "predict() raised SystemExit: 2"


def test_an_async_predict_that_raises_is_treated_the_same(bench: MakeBench) -> None:
    class Async(LabelStudioMLBase):
        async def predict(self, tasks: Tasks, context: Any = None, **kwargs: Any) -> Any:
            await asyncio.sleep(0)
            if any(task["data"]["text"] == BAD for task in tasks):
                raise ValueError("cannot")
            return [{"result": [], "score": 0.5} for _ in tasks]

    assert [bool(result) for result in bench(Async).predict("a", BAD, "c")] == [True, False, True]


# --- when the number of results is wrong --------------------------------------------------------------------


def test_a_model_that_answers_one_request_at_a_time_is_asked_so(bench: MakeBench) -> None:
    class ExpectsTwo(Counting):
        def results(self, texts: list[str]) -> Any:
            return [self.one(text) for text in texts[:2]]

    host = bench(ExpectsTwo)
    answer = host.answer(["a", "b"], ["c", "d"])
    assert answer.problems == []
    assert len(answer.results) == 4
    assert ExpectsTwo.calls == [4, 2, 2]
    assert not answer.mergeable

    ExpectsTwo.calls.clear()
    assert not host.answer(["a", "b"], ["c", "d"]).mergeable
    assert ExpectsTwo.calls == [2, 2], "it is remembered"


def test_a_model_that_answers_one_task_at_a_time_is_asked_so(bench: MakeBench) -> None:
    class OnlyTheFirst(Counting):
        def results(self, texts: list[str]) -> Any:
            return [self.one(texts[0])]

    host = bench(OnlyTheFirst)
    assert all(host.predict("a", "b", "c"))
    assert OnlyTheFirst.calls == [3, 1, 1, 1]
    assert all(host.predict("a", "b"))
    assert OnlyTheFirst.calls == [3, 1, 1, 1, 1, 1], "it is remembered"


def test_a_model_that_cannot_answer_even_one_task_is_told_so(bench: MakeBench) -> None:
    class TwoForEach(Counting):
        def results(self, texts: list[str]) -> Any:
            return [self.one(text) for text in texts * 2]

    answer = bench(TwoForEach).answer(["a", "b"])
    assert answer.results == [b"[]", b"[]"]
    assert {problem.message for problem in answer.problems} == {"predict() returned 2 results for 1 tasks."}


@pytest.mark.parametrize("returned", [5, "text", {"unknown": 1}, object()])
def test_what_is_no_list_of_predictions_is_a_problem_in_words(returned: Any, bench: MakeBench) -> None:
    class Returns(Counting):
        def results(self, texts: list[str]) -> Any:
            return returned

    answer = bench(Returns).answer(["a", "b"])
    assert answer.results == [b"[]", b"[]"]
    assert all("predict() returned" in problem.message for problem in answer.problems)


# --- what Label Studio would refuse -------------------------------------------------------------------------


REFUSED = {
    "another label": {"result": [region("Unheard of")]},
    "another control": {"result": [{**region(), "from_name": "other"}]},
    "no result": {"score": 0.5},
    "a score above one": {"result": [region()], "score": 2.0},
    "a score that is no number": {"result": [region()], "score": float("nan")},
    "no prediction at all": "Positive",
    "something without JSON": {"result": [region()], "extra": object()},
}


@pytest.mark.parametrize("item", REFUSED.values(), ids=REFUSED)
def test_a_prediction_label_studio_would_refuse_costs_its_task_only(item: Any, bench: MakeBench) -> None:
    class Invalid(Counting):
        def one(self, text: str) -> Any:
            return item if text == BAD else super().one(text)

    answer = bench(Invalid).answer(["a", BAD, "c"])
    assert [item == b"[]" for item in answer.results] == [False, True, False]
    (problem,) = answer.problems
    assert (problem.task, problem.kind) == ("2", "invalid")
    assert problem.message
    assert problem.reason in REASONS
    assert problem.reason not in ("raised", "count")


def test_a_problem_names_control_and_reason(bench: MakeBench) -> None:
    class Invalid(Counting):
        def one(self, text: str) -> Any:
            if text == "raises":
                raise ValueError("no")
            return {"result": [region("positive")]} if text == BAD else super().one(text)

    first, second = bench(Invalid).answer([BAD, "fine", "raises"]).problems
    assert (first.task, first.control, first.reason) == ("1", "sentiment", "label")
    assert "`positive`" in first.message
    assert "nearest is `Positive`" in first.message
    assert (second.task, second.control, second.reason) == ("3", "", "raised")


def test_a_wrong_number_of_results_is_a_reason(bench: MakeBench) -> None:
    class TooMany(Counting):
        def results(self, texts: list[str]) -> Any:
            return [self.one("")] * (len(texts) + 1)

    (problem,) = bench(TooMany).answer(["a"]).problems
    assert (problem.kind, problem.reason) == ("predict", "count")


def test_rules_are_compiled_once_for_a_config_and_anew_for_another(bench: MakeBench) -> None:
    class Switching(Counting):
        checkers: ClassVar[list[Any]] = []

        def one(self, text: str) -> Any:
            self.checkers.append(self._state.checker)
            if text == "switch":
                self.use_label_config(CONFIG.replace("Positive", "Fine"))
            return {"result": [region("Fine" if "Fine" in self.label_config else "Positive")]}

    stand = bench(Switching)
    for text in ("a", "b", "c", "switch", "d", "e"):
        assert stand.answer([text]).problems == [], text
    unset, first, second, third, fourth, fifth = Switching.checkers
    assert unset is None
    assert first is second is third is not None
    assert fourth is fifth is not first


def test_interactive_answers_are_not_checked_against_the_config(bench: MakeBench) -> None:
    class Free(Counting):
        def one(self, text: str) -> Any:
            return {"result": [{**region(), "from_name": "other"}]}

    assert bench(Free).predict("a", context={"result": [region()]})[0]["result"]


def test_values_of_numpy_are_written_as_json(bench: MakeBench) -> None:
    class Numbers(Counting):
        def one(self, text: str) -> Any:
            box = {"choices": np.array(["Positive"])}
            found = {**region(), "value": box, "score": np.float32(0.5), "id": np.int64(5)}
            return {"result": [found], "score": np.float64(0.25), "flag": np.bool_(True), "sizes": np.arange(3)}

    (prediction,) = bench(Numbers).predict("a")
    assert prediction["score"] == 0.25
    assert prediction["result"][0]["value"] == {"choices": ["Positive"]}
    assert (prediction["result"][0]["score"], prediction["result"][0]["id"]) == (0.5, 5)
    assert (prediction["flag"], prediction["sizes"]) == (True, [0, 1, 2])


def test_an_array_of_predictions_is_a_list_of_them(bench: MakeBench) -> None:
    class Arrays(Counting):
        def results(self, texts: list[str]) -> Any:
            return np.array([self.one(text) for text in texts], dtype=object)

    assert len(bench(Arrays).predict("a", "b")) == 2


# --- generators ---------------------------------------------------------------------------------------------


class Streams(Counting):
    """Yields a prediction for each text; after one that says so it waits until what there is has been handed on."""

    handed_on = threading.Event()

    def predict(self, tasks: Tasks, context: Any = None, **kwargs: Any) -> Any:
        for task in tasks:
            text = task["data"]["text"]
            if text == BAD:
                raise ValueError("cannot read this one")
            type(self).calls.append(1)
            if text != "skipped":
                yield {"result": [region()], "score": len(text) / 100}
            if text.endswith("wait"):
                assert self.handed_on.wait(30)


class StreamsAsync(Streams):
    async def predict(self, tasks: Tasks, context: Any = None, **kwargs: Any) -> Any:
        for item in super().predict(tasks):
            await asyncio.sleep(0)
            yield item


def streamed(bench: MakeBench, model: type[Any], *texts: str) -> tuple[list[Answer], Answer, list[int | None]]:
    """What was handed on early, the rest, and the length of each text as its prediction says it."""
    parts: list[Answer] = []

    def hand_on(part: Answer) -> None:
        parts.append(part)
        Streams.handed_on.set()

    Streams.handed_on.clear()
    Streams.calls, model.calls = [], []
    tasks = [msgspec.json.encode({"id": place, "data": {"text": text}}) for place, text in enumerate(texts)]
    rest = bench(model).host.predict(Predict("7", CONFIG, 0, tasks, [len(tasks)]), hand_on)
    items = [msgspec.json.decode(item) for part in [*parts, rest] for item in part.results]
    return parts, rest, [round(item["score"] * 100) if item else None for item in items]


@pytest.mark.parametrize("model", [Streams, StreamsAsync])
def test_predict_may_be_a_generator(bench: MakeBench, model: type[Any]) -> None:
    assert streamed(bench, model, "a", "bb", "ccc")[2] == [1, 2, 3]
    assert bench(model).host.describe().concurrent is (model is StreamsAsync)


@pytest.mark.parametrize("model", [Streams, StreamsAsync])
def test_results_of_a_generator_are_handed_on_while_it_works(bench: MakeBench, model: type[Any]) -> None:
    parts, rest, found = streamed(bench, model, "a", "bb wait", "c")
    assert [len(part.results) for part in parts] == [2]
    assert (len(rest.results), rest.problems, found) == (1, [], [1, 7, 1])


def test_a_generator_that_raises_keeps_what_was_handed_on(bench: MakeBench) -> None:
    parts, rest, found = streamed(bench, Streams, "a", "bb wait", BAD, "cc")
    assert [len(part.results) for part in parts] == [2]
    assert found == [1, 7, None, 2]
    assert [(problem.place, problem.task) for problem in rest.problems] == [(0, "2")]
    assert len(Streams.calls) == 3, "nothing was done twice"


@pytest.mark.parametrize("texts", [["a", "skipped", "cc", "ddd"], ["a wait", "bb", "skipped", "ddd"]])
def test_a_generator_that_leaves_a_task_out_shifts_nobody_elses(bench: MakeBench, texts: list[str]) -> None:
    found = streamed(bench, Streams, *texts)[2]
    assert found == [None if text == "skipped" else len(text) for text in texts]


def test_a_generator_with_too_many_results_shifts_nobody_elses(bench: MakeBench) -> None:
    class Twice(Streams):
        def predict(self, tasks: Tasks, context: Any = None, **kwargs: Any) -> Any:
            for task, item in zip(tasks, super().predict(tasks), strict=True):
                yield from [item] * (1 + (task["data"]["text"] == "twice"))

    _, rest, found = streamed(bench, Twice, "a", "twice", "bb")
    assert found == [1, None, 2]
    assert [(problem.task, problem.reason) for problem in rest.problems] == [("1", "count")]


def test_a_generator_that_fails_after_the_last_task_costs_nothing_that_was_handed_on(bench: MakeBench) -> None:
    class FailsLate(Streams):
        def predict(self, tasks: Tasks, context: Any = None, **kwargs: Any) -> Any:
            yield from super().predict(tasks)
            raise RuntimeError("nobody cares")

    parts, rest, found = streamed(bench, FailsLate, "a", "bb wait")
    assert [len(part.results) for part in parts] == [2]
    assert (rest.results, rest.problems, found) == ([], [], [1, 7])


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
def test_a_coroutine_that_wants_to_end_the_process_costs_its_task_only(
    bench: MakeBench, error: type[BaseException]
) -> None:
    class Quits(Counting):
        async def predict(self, tasks: Tasks, context: Any = None, **kwargs: Any) -> Any:
            if any(task["data"]["text"] == BAD for task in tasks):
                raise error("enough")
            return self.results([task["data"]["text"] for task in tasks])

    assert [bool(item) for item in bench(Quits).predict("a", BAD, "b")] == [True, False, True]


def test_an_error_that_cannot_be_printed_costs_its_task_only(bench: MakeBench) -> None:
    class Unprintable(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no words")

    class Complains(Counting):
        def one(self, text: str) -> Any:
            if text == BAD:
                raise Unprintable
            return super().one(text)

    answer = bench(Complains).answer(["a", BAD])
    assert [item == b"[]" for item in answer.results] == [False, True]
    assert answer.problems[0].message == "predict() raised Unprintable: (its message cannot be read)"
