"""Which tasks are predicted together, in which order, and what clients get when something goes wrong."""

from __future__ import annotations

import asyncio
import dataclasses
import gc
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import anyio
import pytest

from label_studio_ml import settings
from label_studio_ml.errors import ClientGone, LabelStudioError, LoadError, PredictError, Unavailable, WorkerDied
from label_studio_ml.predict.dispatcher import Dispatcher
from label_studio_ml.predict.request import Predictions
from label_studio_ml.predict.runner import Listener, Room
from label_studio_ml.predict.status import ModelStatus
from label_studio_ml.processes.messages import Answer, Predict, Problem

pytestmark = pytest.mark.anyio


def given(call: Predict) -> list[list[str]]:
    """The tasks of a call, request by request."""
    tasks = iter(call.tasks)
    return [[json.loads(next(tasks)) for _ in range(size)] for size in call.sizes]


def echo(tasks: list[bytes]) -> Answer:
    """What a model says that answers each task with itself; tasks named `bad…` get a problem."""
    names = [json.loads(task) for task in tasks]
    problems = [
        Problem(place, name, "predict", f"predict() raised {name}")
        for place, name in enumerate(names)
        if str(name).startswith("bad")
    ]
    results = [b"[]" if str(name).startswith("bad") else task for name, task in zip(names, tasks, strict=True)]
    return Answer(results, "v1", 1, problems)


@dataclass
class Running:
    """A call that the runner holds until the test says how it ends."""

    runner: Runner
    call: Predict
    listener: Listener
    room: Room
    over: bool = False
    streamed: int = 0

    def stream(self, count: int) -> None:
        """Give the results of the next tasks."""
        start, self.streamed = self.streamed, self.streamed + count
        self.listener.streamed(echo(self.call.tasks[start : self.streamed]))

    def answer(self, answer: Answer | None = None, seconds: float = 0.001) -> None:
        self._end()
        self.listener.answered(answer or echo(self.call.tasks[self.streamed :]), seconds)
        self.runner.on_room()

    def fail(self, error: Exception) -> None:
        self._end()
        self.runner.free -= isinstance(error, WorkerDied)  # until it is replaced
        self.listener.failed(error)
        self.runner.on_room()

    def die(self, how: str = "The process ended.", *, stuck: bool = False) -> None:
        """End as when the worker ends."""
        others = [one for one in self.runner.started if not one.over and one is not self]
        self.fail(WorkerDied(how, alone=not others, stuck=stuck))

    def _end(self) -> None:
        self.over = True
        self.runner.free += 1


class Runner:
    """Runs what it is told to, and ends calls when it is told to."""

    def __init__(self, capacity: int = 1) -> None:
        self.free = self.capacity = capacity
        self.open, self.ahead, self.reserved = True, False, False
        self.started: list[Running] = []
        self.status = ModelStatus("ready")
        self.on_room: Callable[[], None] = lambda: None
        self.pids: list[int] = []
        self.memory: dict[str, int] = {}
        self.woken = 0
        self.suspensions: list[str] = []
        self.stored: list[tuple[str, list[dict[str, Any]]]] = []
        self.refusal: LabelStudioError | None = None

    def has_room(self, room: Room) -> bool:
        if room == "alone":
            return self.open and self.free > 0
        if room == "ahead":
            return self.open and self.ahead and self.free > -self.capacity
        return self.open and self.free > (1 if self.reserved else 0)

    def reserve(self, wanted: bool) -> None:
        self.reserved = wanted

    def submit(self, call: Predict, listener: Listener, room: Room) -> None:
        assert self.has_room(room)
        self.free -= 1
        self.started.append(Running(self, call, listener, room))

    async def replace_worker(self) -> None:
        self.free += 1
        self.on_room()
        await settle()

    @property
    def running(self) -> list[Running]:
        return [one for one in self.started if not one.over]

    @property
    def calls(self) -> list[list[list[str]]]:
        return [given(running.call) for running in self.started]

    def wake(self) -> None:
        self.woken += 1

    def suspend(self, error: str) -> None:
        self.suspensions.append(error)

    def subscribe(self, on_room: Callable[[], None]) -> None:
        self.on_room = on_room

    async def settled(self, after: ModelStatus | None = None) -> ModelStatus:
        return self.status

    async def start(self) -> None: ...
    async def stop(self, timeout: float) -> None: ...  # noqa: ASYNC109 - as the real ones
    def kill(self) -> None: ...
    def retry(self) -> None: ...
    async def warm(self, project_id: str, label_config: str | None) -> str:
        return "v1"

    async def swap(self, project_id: str, version: int, activate: Callable[[str], Awaitable[None]]) -> None: ...

    async def store(self, project_id: str, predictions: list[dict[str, Any]]) -> None:
        if self.refusal is not None:
            raise self.refusal
        self.stored.append((project_id, predictions))


class Observer:
    def __init__(self) -> None:
        self.calls: list[tuple[int, int, float]] = []
        self.problems: list[tuple[str, str]] = []

    def predicted(self, tasks: int, requests: int, seconds: float) -> None:
        self.calls.append((tasks, requests, seconds))

    def problem(self, project_id: str, problem: Problem) -> None:
        self.problems.append((project_id, problem.task))


class Desk:
    """A dispatcher with a scripted runner, and short ways to ask it."""

    def __init__(self, *, capacity: int = 1, **options: Any) -> None:
        self.runner, self.observer = Runner(capacity), Observer()
        self.version = 1
        self.dispatcher = Dispatcher(
            self.runner, settings.load({}, **options), self.observer, lambda _project: self.version
        )
        self._asked: list[asyncio.Task[Predictions]] = []

    async def ask(
        self,
        *tasks: Any,
        interactive: bool = False,
        project: str = "1",
        config: str | None = None,
        params: bytes = b"{}",
        body: bytes | None = None,
        gone: Callable[[], Awaitable[Any]] | None = None,
    ) -> asyncio.Task[Predictions]:
        """Ask for predictions and let the dispatcher act on it."""
        encoded = [json.dumps(task).encode() for task in tasks]
        work = self.dispatcher.predict(
            project, config, encoded, params, interactive=interactive, body=body, gone=gone
        )
        task = asyncio.ensure_future(work)
        self._asked.append(task)
        await settle()
        return task

    async def answer_all(self) -> None:
        """Answer whatever runs until nothing does."""
        while running := self.runner.running:
            running[0].answer()
            await settle()

    def deadline(self, seconds: float) -> None:
        """Let requests from now on have more time, or less."""
        self.dispatcher._settings = dataclasses.replace(self.dispatcher._settings, predict_deadline=seconds)

    def end(self) -> None:
        for task in self._asked:
            task.cancel()


async def settle() -> None:
    """Let everything that can happen now happen."""
    for _ in range(10):
        await asyncio.sleep(0)


def results(outcome: Predictions) -> list[str]:
    return [json.loads(item) or "" for item in outcome.results]


@pytest.fixture
async def desks() -> AsyncIterator[Callable[..., Desk]]:
    made: list[Desk] = []

    def make(**options: Any) -> Desk:
        made.append(Desk(**options))
        return made[-1]

    yield make
    for desk in made:
        desk.end()
    await settle()


Desks = Callable[..., Desk]


async def test_an_idle_runner_is_given_a_request_at_once(desks: Desks) -> None:
    desk = desks()
    asked = await desk.ask("a")
    assert desk.runner.calls == [[["a"]]]
    desk.runner.started[0].answer()
    outcome = await asked
    assert (results(outcome), outcome.version, outcome.number, outcome.problems) == (["a"], "v1", 1, [])
    assert desk.observer.calls == [(1, 1, 0.001)]


async def test_requests_collect_while_the_runner_is_busy_and_then_share_a_call(desks: Desks) -> None:
    desk = desks()
    asked = [await desk.ask("a"), await desk.ask("b"), await desk.ask("c", "d"), await desk.ask("e")]
    assert desk.runner.calls == [[["a"]]]
    assert desk.dispatcher.queued_tasks == 4
    desk.runner.started[0].answer()
    await settle()
    assert desk.runner.calls[1:] == [[["b"], ["c", "d"], ["e"]]]
    assert desk.dispatcher.queued_tasks == 0
    desk.runner.started[1].answer()
    assert [results(await one) for one in asked] == [["a"], ["b"], ["c", "d"], ["e"]]
    assert desk.observer.calls == [(1, 1, 0.001), (4, 3, 0.001)]


async def test_every_free_worker_gets_work(desks: Desks) -> None:
    desk = desks(capacity=3)
    for name in "abcd":
        await desk.ask(name)
    assert desk.runner.calls == [[["a"]], [["b"]], [["c"]]]


async def test_a_large_request_is_cut_and_its_results_come_back_in_order(desks: Desks) -> None:
    desk = desks(capacity=3, max_batch_size=2)
    asked = await desk.ask(*"abcde")
    assert desk.runner.calls == [[["a", "b"]], [["c", "d"]], [["e"]]]
    for running in reversed(desk.runner.started):
        running.answer()
        await settle()
    assert results(await asked) == list("abcde")


async def test_a_call_never_holds_more_tasks_than_allowed(desks: Desks) -> None:
    desk = desks(max_batch_size=4)
    await desk.ask("first")
    asked = [await desk.ask(*tasks) for tasks in ("abc", "de", "f", "ghij", "k")]
    await desk.answer_all()
    assert desk.runner.calls[1:] == [
        [["a", "b", "c"], ["f"]],
        [["d", "e"], ["k"]],
        [["g", "h", "i", "j"]],
    ]
    assert [results(await one) for one in asked] == [list(tasks) for tasks in ("abc", "de", "f", "ghij", "k")]


async def test_only_requests_of_the_same_project_config_and_params_share_a_call(desks: Desks) -> None:
    desk = desks()
    await desk.ask("first")
    await desk.ask("a")
    await desk.ask("b", project="2")
    await desk.ask("c", config="<View/>")
    await desk.ask("d", params=b'{"x":1}')
    await desk.ask("e")
    await desk.ask("f", project="2")
    await desk.answer_all()
    assert desk.runner.calls[1:] == [[["a"], ["e"]], [["b"], ["f"]], [["c"]], [["d"]]]
    calls = [running.call for running in desk.runner.started[1:]]
    assert [(call.project_id, call.label_config, call.params) for call in calls] == [
        ("1", None, b"{}"),
        ("2", None, b"{}"),
        ("1", "<View/>", b"{}"),
        ("1", None, b'{"x":1}'),
    ]


async def test_a_click_goes_first_and_alone(desks: Desks) -> None:
    desk = desks(max_batch_size=2)
    await desk.ask(*"abcdef")
    await desk.ask("x", interactive=True)
    await desk.ask("y", interactive=True)
    await desk.answer_all()
    assert desk.runner.calls == [[["a", "b"]], [["x"]], [["y"]], [["c", "d"]], [["e", "f"]]]


async def test_a_request_given_up_while_it_waits_is_not_started(desks: Desks) -> None:
    desk = desks()
    first = await desk.ask("a")
    given_up, other = await desk.ask("b"), await desk.ask("c")
    given_up.cancel()
    await settle()
    await desk.answer_all()
    assert desk.runner.calls == [[["a"]], [["c"]]]
    assert results(await first) == ["a"]
    assert results(await other) == ["c"]


async def test_a_request_given_up_while_it_runs_leaves_those_in_the_same_call_unharmed(desks: Desks) -> None:
    desk = desks()
    await desk.ask("first")
    asked = [await desk.ask(name) for name in "abc"]
    desk.runner.started[0].answer()
    await settle()
    asked[1].cancel()
    await settle()
    await desk.answer_all()
    assert [results(await asked[place]) for place in (0, 2)] == [["a"], ["c"]]
    assert asked[1].cancelled()
    again = await desk.ask("d")
    await desk.answer_all()
    assert results(await again) == ["d"]


async def test_nothing_is_logged_about_requests_that_were_given_up(
    desks: Desks, caplog: pytest.LogCaptureFixture
) -> None:
    desk = desks(max_batch_size=1)
    running, waiting = await desk.ask("a", "b"), await desk.ask("c")
    for asked in (running, waiting):
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
    await desk.answer_all()
    gc.collect()
    await settle()
    assert caplog.records == []


async def test_when_a_worker_dies_its_requests_are_tried_again_alone_before_the_others(desks: Desks) -> None:
    desk = desks()
    await desk.ask("first")
    asked = [await desk.ask(name) for name in "abc"]
    desk.runner.started[0].answer()
    await settle()
    await desk.ask("later")
    desk.runner.started[1].die()
    await settle()
    await desk.runner.replace_worker()
    await desk.answer_all()
    assert desk.runner.calls[1:] == [[["a"], ["b"], ["c"]], [["a"]], [["b"]], [["c"]], [["later"]]]
    assert [results(await one) for one in asked] == [["a"], ["b"], ["c"]]


async def test_only_the_request_that_kills_workers_fails(desks: Desks) -> None:
    desk = desks()
    await desk.ask("first")
    asked = [await desk.ask(name) for name in ("a", "killer", "c")]
    while running := desk.runner.running:
        if ["killer"] in given(running[0].call):
            running[0].die("The process running the model was ended by SIGSEGV.")
            await settle()
            await desk.runner.replace_worker()
        else:
            running[0].answer()
        await settle()
    assert [results(await one) for one in asked] == [["a"], [""], ["c"]]
    (problem,) = (await asked[1]).problems
    assert (problem.reason, problem.message) == ("crashed", "The process running the model was ended by SIGSEGV.")
    assert desk.runner.calls.count([["killer"]]) == 2, "the first time may have been an accident"


async def test_a_click_whose_worker_dies_is_tried_again_first(desks: Desks) -> None:
    desk = desks()
    asked = await desk.ask("x", interactive=True)
    await desk.ask("a")
    desk.runner.started[0].die()
    await settle()
    await desk.runner.replace_worker()
    await desk.answer_all()
    assert desk.runner.calls == [[["x"]], [["x"]], [["a"]]]
    assert results(await asked) == ["x"]


async def test_requests_wait_while_no_worker_is_there(desks: Desks) -> None:
    desk = desks()
    desk.runner.open = False
    asked = await desk.ask("a")
    assert desk.runner.calls == []
    desk.runner.open = True
    desk.runner.on_room()
    await settle()
    await desk.answer_all()
    assert results(await asked) == ["a"]


async def test_a_class_that_cannot_be_loaded_fails_the_requests_it_was_asked(desks: Desks) -> None:
    desk = desks()
    await desk.ask("first")
    asked = [await desk.ask(name) for name in "ab"]
    desk.runner.started[0].answer()
    await settle()
    desk.runner.started[1].fail(LoadError("no weights"))
    for one in asked:
        with pytest.raises(LoadError, match="no weights"):
            await one
    again = await desk.ask("c")
    await desk.answer_all()
    assert results(await again) == ["c"]


async def test_when_one_part_of_a_request_fails_the_parts_not_started_are_dropped(desks: Desks) -> None:
    desk = desks(max_batch_size=1)
    asked = await desk.ask(*"abc")
    desk.runner.started[0].fail(LoadError("no weights"))
    with pytest.raises(LoadError):
        await asked
    await desk.answer_all()
    assert [["c"]] not in desk.runner.calls


async def test_a_model_that_cannot_take_merged_requests_is_called_for_each_from_then_on(desks: Desks) -> None:
    desk = desks()
    await desk.ask("first")
    asked = [await desk.ask(name) for name in "ab"]
    desk.runner.started[0].answer()
    await settle()
    desk.runner.started[1].answer(Answer([b'"a"', b'"b"'], "v1", 1, mergeable=False))
    await settle()
    asked += [await desk.ask(name) for name in ("c", "d", "e")]
    await desk.answer_all()
    assert desk.runner.calls[1:] == [[["a"], ["b"]], [["c"]], [["d"]], [["e"]]]
    assert [results(await one) for one in asked] == [["a"], ["b"], ["c"], ["d"], ["e"]]


async def test_a_task_without_prediction_costs_only_itself(desks: Desks) -> None:
    desk = desks()
    await desk.ask("first", project="2")
    guilty, other = await desk.ask("a", "bad", "b"), await desk.ask("c")
    await desk.answer_all()
    outcome = await guilty
    assert results(outcome) == ["a", "", "b"]
    assert [problem.task for problem in outcome.problems] == ["bad"]
    assert (results(await other), (await other).problems) == (["c"], [])
    assert desk.observer.problems == [("1", "bad")]


async def test_in_strict_mode_only_the_request_with_the_failing_task_is_refused(desks: Desks) -> None:
    desk = desks(strict=True)
    await desk.ask("first")
    guilty, other = await desk.ask("a", "bad 7"), await desk.ask("b")
    await desk.answer_all()
    assert desk.runner.calls[1:] == [[["a", "bad 7"], ["b"]]]
    with pytest.raises(PredictError, match=r"^Task bad 7: predict\(\) raised bad 7$"):
        await guilty
    assert results(await other) == ["b"]
    assert desk.observer.problems == [("1", "bad 7")]


async def test_a_click_that_fails_is_an_error_and_ordinary_requests_beside_it_are_not(desks: Desks) -> None:
    desk = desks()
    click, ordinary = await desk.ask("bad", interactive=True), await desk.ask("bad", "a")
    await desk.answer_all()
    with pytest.raises(PredictError, match=r"Task bad: predict\(\) raised bad"):
        await click
    assert results(await ordinary) == ["", "a"]


async def test_problems_of_every_part_of_a_cut_request_are_told(desks: Desks) -> None:
    desk = desks(max_batch_size=1)
    asked = await desk.ask("bad 1", "a", "bad 2")
    await desk.answer_all()
    assert [problem.task for problem in (await asked).problems] == ["bad 1", "bad 2"]
    assert desk.observer.calls == [(1, 1, 0.001)] * 3


# --- tasks that end their workers ----------------------------------------------------------------------------


async def end_all(desk: Desk, guilty: str, *, stuck: bool = False) -> None:
    """Answer what runs; whatever holds the guilty task ends its worker."""
    while running := desk.runner.running:
        if any(guilty in tasks for tasks in given(running[0].call)):
            running[0].die("It ended.", stuck=stuck)
            await settle()
            await desk.runner.replace_worker()
        else:
            running[0].answer()
        await settle()


@pytest.mark.parametrize("place", [0, 3, 7])
async def test_a_task_that_ends_its_worker_costs_only_itself(desks: Desks, place: int) -> None:
    names = [f"task{number}" for number in range(8)]
    desk = desks()
    asked = await desk.ask(*names)
    await end_all(desk, names[place])
    expected = ["" if number == place else name for number, name in enumerate(names)]
    outcome = await asked
    assert results(outcome) == expected
    assert [problem.reason for problem in outcome.problems] == ["crashed"]
    assert desk.observer.problems == [("1", "")]


async def test_a_task_that_is_stuck_is_not_tried_again_alone(desks: Desks) -> None:
    desk = desks()
    asked = await desk.ask("a", "stuck")
    await end_all(desk, "stuck", stuck=True)
    outcome = await asked
    assert results(outcome) == ["a", ""]
    assert [(problem.reason, problem.message) for problem in outcome.problems] == [("timeout", "It ended.")]
    assert desk.runner.calls == [[["a", "stuck"]], [["a"]], [["stuck"]]]


async def test_a_call_that_dies_beside_another_is_not_blamed(desks: Desks) -> None:
    desk = desks(capacity=2)
    asked = [await desk.ask("a"), await desk.ask("b")]
    for _ in range(3):
        first, second = desk.runner.running
        first.fail(WorkerDied(alone=False))
        second.fail(WorkerDied(alone=False))
        desk.runner.free = 2
        desk.runner.on_room()
        await settle()
    await desk.answer_all()
    assert [results(await one) for one in asked] == [["a"], ["b"]]


async def test_three_guilty_tasks_in_a_row_make_the_model_a_failing_one(desks: Desks) -> None:
    desk = desks(max_batch_size=1)
    await desk.ask("one", "two", "three")
    for _ in range(6):
        assert desk.runner.suspensions == []
        desk.runner.running[0].die("It was ended by SIGSEGV.")
        await settle()
        await desk.runner.replace_worker()
    assert desk.runner.suspensions == [
        "3 tasks in a row, each alone, ended in the same way. It was ended by SIGSEGV."
    ]


async def test_a_click_that_ends_its_worker_is_an_error(desks: Desks) -> None:
    desk = desks()
    asked = await desk.ask("x", interactive=True)
    await end_all(desk, "x")
    with pytest.raises(PredictError, match="It ended"):
        await asked


# --- results that stream -------------------------------------------------------------------------------------


async def test_what_was_streamed_before_a_worker_died_is_not_asked_again(desks: Desks) -> None:
    desk = desks()
    asked = await desk.ask("a", "b", "bad c", "d")
    desk.runner.running[0].stream(1)
    desk.runner.running[0].stream(2)
    desk.runner.running[0].die()
    await settle()
    await desk.runner.replace_worker()
    await desk.answer_all()
    outcome = await asked
    assert results(outcome) == ["a", "b", "", "d"]
    assert [problem.task for problem in outcome.problems] == ["bad c"]
    assert desk.runner.calls == [[["a", "b", "bad c", "d"]], [["d"]]]


# --- requests that take long ---------------------------------------------------------------------------------


async def until(condition: Callable[[], bool]) -> None:
    """Wait until something is so."""
    with anyio.fail_after(10):
        while not condition():  # noqa: ASYNC110 - anything may be asked
            await anyio.sleep(0.01)


def with_ids(*numbers: int) -> list[dict[str, int]]:
    return [{"id": number} for number in numbers]


async def test_at_the_deadline_there_is_what_is_ready_and_the_rest_is_stored_later(desks: Desks) -> None:
    desk = desks(predict_deadline=0.05, max_batch_size=1)
    asked = await desk.ask(*with_ids(1, 2, 3))
    desk.runner.running[0].answer()
    outcome = await asked
    assert outcome.results == [b'{"id": 1}', b"[]", b"[]"]
    await settle()
    await desk.answer_all()
    await until(lambda: bool(desk.runner.stored))
    assert desk.runner.stored == [("1", [{"task": 2, "id": 2}, {"task": 3, "id": 3}])]
    assert [str(call[0]) for call in desk.runner.calls] == [str(with_ids(number)) for number in (1, 2, 3)]


async def test_whoever_asks_again_for_a_late_task_joins_it(desks: Desks) -> None:
    desk = desks(predict_deadline=0.05, max_batch_size=1)
    await (await desk.ask(*with_ids(1, 2)))
    desk.deadline(20)
    again = await desk.ask(*with_ids(2, 7))
    await desk.answer_all()
    assert (await again).results == [b'{"id": 2}', b'{"id": 7}']
    await until(lambda: bool(desk.runner.stored))
    assert desk.runner.stored == [("1", [{"task": 1, "id": 1}])], "the other one went out with the reply"
    assert sorted(str(call[0]) for call in desk.runner.calls) == [str(with_ids(number)) for number in (1, 2, 7)]


async def test_what_label_studio_does_not_take_is_there_when_it_asks_again(
    desks: Desks, caplog: pytest.LogCaptureFixture
) -> None:
    desk = desks(predict_deadline=0.05)
    desk.runner.refusal = LabelStudioError("Its token is not known.")
    await (await desk.ask(*with_ids(1)))
    await desk.answer_all()
    await until(lambda: "Its token is not known." in caplog.text)
    assert (await (await desk.ask(*with_ids(1)))).results == [b'{"id": 1}']
    again = await desk.ask(*with_ids(1))
    assert len(desk.runner.calls) == 2, "it is given once; then it is in Label Studio"
    await desk.answer_all()
    assert (await again).results == [b'{"id": 1}']


async def test_a_late_task_of_an_older_version_is_not_joined(desks: Desks) -> None:
    desk = desks(predict_deadline=0.05, capacity=2)
    await (await desk.ask(*with_ids(1)))
    desk.version = 2
    await desk.ask(*with_ids(1))
    assert len(desk.runner.calls) == 2


@pytest.mark.parametrize("kind", ["interactive", "strict"])
async def test_a_click_and_strict_mode_get_an_error_at_the_deadline(desks: Desks, kind: str) -> None:
    desk = desks(predict_deadline=0.05, max_batch_size=2, strict=kind == "strict")
    asked = await desk.ask(*"abcd", interactive=kind == "interactive")
    with pytest.raises(Unavailable, match=r"No prediction after 0\.05 s .* for 4 tasks of project 1") as caught:
        await asked
    assert not isinstance(caught.value, WorkerDied)
    assert desk.dispatcher.queued_tasks == 0
    other = await desk.ask("x")
    await desk.answer_all()
    assert desk.runner.calls == [[["a", "b"]], [["x"]]]
    assert results(await other) == ["x"]


# --- clients -------------------------------------------------------------------------------------------------


async def test_the_very_same_request_in_flight_is_answered_once(desks: Desks) -> None:
    desk = desks()
    asked = [await desk.ask("a", body=b"same") for _ in range(3)]
    other = await desk.ask("a", body=b"other")
    asked[0].cancel()
    await settle()
    await desk.answer_all()
    assert [results(await one) for one in (*asked[1:], other)] == [["a"]] * 3
    assert desk.runner.calls == [[["a"]], [["a"]]]
    again = await desk.ask("a", body=b"same")
    await desk.answer_all()
    assert results(await again) == ["a"]
    assert len(desk.runner.calls) == 3


async def test_the_same_request_for_another_version_is_another_one(desks: Desks) -> None:
    desk = desks(capacity=2)
    await desk.ask("a", body=b"same")
    desk.version = 2
    await desk.ask("a", body=b"same")
    assert len(desk.runner.calls) == 2


async def test_when_the_client_goes_what_has_not_started_is_dropped(desks: Desks) -> None:
    desk = desks()
    await desk.ask("first")
    gone = asyncio.Event()
    asked, other = await desk.ask("a", gone=gone.wait), await desk.ask("b")
    gone.set()
    with pytest.raises(ClientGone):
        await asked
    await desk.answer_all()
    assert desk.runner.calls == [[["first"]], [["b"]]]
    assert results(await other) == ["b"]


async def test_more_than_may_wait_is_refused_and_clicks_are_counted_apart(desks: Desks) -> None:
    desk = desks(max_queued_tasks=3)
    await desk.ask("first")
    waiting = await desk.ask("a", "b")
    with pytest.raises(Unavailable, match=r"2 tasks wait already, and no more than 3 may \(--max-queued-tasks\)"):
        await (await desk.ask("c", "d"))
    last, click = await desk.ask("c"), await desk.ask("x", interactive=True)
    await desk.answer_all()
    assert [results(await one) for one in (waiting, last, click)] == [["a", "b"], ["c"], ["x"]]


# --- turns ---------------------------------------------------------------------------------------------------


async def test_projects_take_turns(desks: Desks) -> None:
    desk = desks(max_batch_size=2)
    await desk.ask(*"abcdef")
    await desk.ask("x", project="2")
    await desk.ask("y", "z", project="3")
    await desk.answer_all()
    assert desk.runner.calls == [[["a", "b"]], [["c", "d"]], [["x"]], [["y", "z"]], [["e", "f"]]]


async def test_a_large_request_goes_to_the_end_of_the_line_after_each_piece(desks: Desks) -> None:
    desk = desks(max_batch_size=2)
    await desk.ask(*"abcdef")
    await desk.ask("x")
    await desk.ask("y")
    await desk.answer_all()
    assert desk.runner.calls == [[["a", "b"]], [["c", "d"]], [["x"], ["y"]], [["e", "f"]]]


async def test_after_a_long_call_those_who_wait_wait_for_those_just_answered(desks: Desks) -> None:
    desk = desks()
    first, _ = await desk.ask("a"), await desk.ask("b")
    desk.runner.running[0].answer(seconds=0.08)
    await first
    assert desk.runner.running == []
    await desk.ask("c")
    assert desk.runner.calls[1:] == [[["b"], ["c"]]], "all are there, so nobody waits any longer"


async def test_who_waits_after_a_long_call_waits_but_a_moment(desks: Desks) -> None:
    desk = desks()
    await desk.ask("a")
    waiting = await desk.ask("b")
    desk.runner.running[0].answer(seconds=10)
    await until(lambda: bool(desk.runner.running))
    desk.runner.running[0].answer(seconds=10)
    assert results(await waiting) == ["b"]


async def test_nobody_waits_who_is_alone_and_no_click_does(desks: Desks) -> None:
    desk = desks()
    await desk.ask("a")
    desk.runner.running[0].answer(seconds=10)
    await desk.ask("b")
    assert desk.runner.calls[1:] == [[["b"]]], "there was nobody when the call was over"
    await desk.ask("c")
    desk.runner.running[0].answer(seconds=10)
    await desk.ask("x", interactive=True)
    assert desk.runner.calls[2:] == [[["x"]]]


async def test_only_full_batches_are_sent_ahead(desks: Desks) -> None:
    desk = desks(max_batch_size=2)
    desk.runner.ahead = True
    await desk.ask("first")
    await desk.ask("x")
    assert desk.runner.calls == [[["first"]]]
    await desk.answer_all()
    await desk.ask(*"abcde")
    assert desk.runner.calls[2:] == [[["a", "b"]], [["c", "d"]]]
