from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import pytest

from label_studio_ml import settings
from label_studio_ml.backend.answers import Answer, Problem
from label_studio_ml.errors import LoadError, PredictError, Unavailable, WorkerDied
from label_studio_ml.runtime.dispatcher import Dispatcher
from label_studio_ml.runtime.request import Predictions
from label_studio_ml.runtime.runner import Call, ModelStatus

pytestmark = pytest.mark.anyio


def given(call: Call) -> list[list[str]]:
    """The tasks of a call, request by request."""
    return [[json.loads(task) for task in group.tasks] for group in call.groups]


def echo(call: Call) -> Answer:
    """What a model says that answers each task with itself; tasks named `bad…` get a problem."""
    problems = [
        Problem(index, task, "predict", f"predict() raised {task}")
        for index, tasks in enumerate(given(call))
        for task in tasks
        if task.startswith("bad")
    ]
    results = [
        [b"[]" if json.loads(task).startswith("bad") else task for task in group.tasks] for group in call.groups
    ]
    return Answer(results, "v1", 1, problems)


@dataclass
class Running:
    """A call that the runner holds until the test says how it ends."""

    call: Call
    end: asyncio.Future[Answer]

    def answer(self, answer: Answer | None = None) -> None:
        self.end.set_result(answer or echo(self.call))

    def fail(self, error: Exception) -> None:
        self.end.set_exception(error)


@dataclass
class Runner:
    """Runs what it is told to, and ends calls when it is told to."""

    capacity: int = 1
    open: bool = True
    started: list[Running] = field(default_factory=list)
    free: int = 0

    def __post_init__(self) -> None:
        self.free = self.capacity
        self.status = ModelStatus("ready")
        self.on_free: Callable[[], None] = lambda: None
        self.changed = asyncio.Event()
        self.pids: list[int] = []

    def has_room(self) -> bool:
        return self.open and self.free > 0

    def submit(self, call: Call) -> Coroutine[Any, Any, tuple[Answer, float]]:
        assert self.has_room()
        self.free -= 1
        running = Running(call, asyncio.get_running_loop().create_future())
        self.started.append(running)
        return self._run(running)

    async def _run(self, running: Running) -> tuple[Answer, float]:
        try:
            return await running.end, 0.25
        except WorkerDied:
            self.free -= 1  # until it is replaced
            raise
        finally:
            self.free += 1
            self.on_free()

    async def replace_worker(self) -> None:
        self.free += 1
        self.on_free()
        await settle()

    @property
    def calls(self) -> list[list[list[str]]]:
        return [given(running.call) for running in self.started]

    async def start(self) -> None: ...
    async def stop(self, timeout: float) -> None: ...
    def kill(self) -> None: ...
    def hurry(self) -> None: ...
    async def warm(self, project_id: str, label_config: str | None) -> str:
        return "v1"

    async def swap(self, project_id: str, version: int, activate: Callable[[str], Awaitable[None]]) -> None: ...


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
        self.dispatcher = Dispatcher(self.runner, settings.load({}, **options), self.observer)
        self._asked: list[asyncio.Task[Predictions]] = []

    async def ask(
        self,
        *tasks: str,
        interactive: bool = False,
        project: str = "1",
        config: str | None = None,
        params: bytes = b"{}",
    ) -> asyncio.Task[Predictions]:
        """Ask for predictions and let the dispatcher act on it."""
        encoded = [json.dumps(task).encode() for task in tasks]
        work = self.dispatcher.predict(project, config, encoded, params, interactive=interactive)
        task = asyncio.ensure_future(work)
        self._asked.append(task)
        await settle()
        return task

    async def answer_all(self) -> None:
        """Answer whatever runs until nothing does."""
        while running := [one for one in self.runner.started if not one.end.done()]:
            running[0].answer()
            await settle()

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
    assert desk.observer.calls == [(1, 1, 0.25)]


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
    assert desk.observer.calls == [(1, 1, 0.25), (4, 3, 0.25)]


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
    desk.runner.started[1].fail(WorkerDied())
    await settle()
    await desk.runner.replace_worker()
    await desk.answer_all()
    assert desk.runner.calls[1:] == [[["a"], ["b"], ["c"]], [["a"]], [["b"]], [["c"]], [["later"]]]
    assert [results(await one) for one in asked] == [["a"], ["b"], ["c"]]


async def test_only_the_request_that_kills_workers_fails(desks: Desks) -> None:
    desk = desks()
    await desk.ask("first")
    asked = [await desk.ask(name) for name in ("a", "killer", "c")]
    while running := [one for one in desk.runner.started if not one.end.done()]:
        if ["killer"] in given(running[0].call):
            running[0].fail(WorkerDied("The process running the model was ended by SIGSEGV."))
            await settle()
            await desk.runner.replace_worker()
        else:
            running[0].answer()
        await settle()
    with pytest.raises(WorkerDied, match="SIGSEGV"):
        await asked[1]
    assert [results(await asked[place]) for place in (0, 2)] == [["a"], ["c"]]
    assert desk.runner.calls.count([["killer"]]) == 1


async def test_a_click_whose_worker_dies_is_tried_again_first(desks: Desks) -> None:
    desk = desks()
    asked = await desk.ask("x", interactive=True)
    await desk.ask("a")
    desk.runner.started[0].fail(WorkerDied())
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
    desk.runner.on_free()
    await settle()
    await desk.answer_all()
    assert results(await asked) == ["a"]


async def test_after_the_timeout_the_request_is_unavailable_and_the_rest_of_it_is_not_started(desks: Desks) -> None:
    desk = desks(predict_timeout=0.05, max_batch_size=2)
    asked = await desk.ask(*"abcd")
    with pytest.raises(Unavailable, match=r"No prediction after 0\.05 s for 4 tasks of project 1") as caught:
        await asked
    assert not isinstance(caught.value, WorkerDied)
    assert desk.dispatcher.queued_tasks == 0
    other = await desk.ask("x")
    await desk.answer_all()
    assert desk.runner.calls == [[["a", "b"]], [["x"]]]
    assert results(await other) == ["x"]
    assert desk.dispatcher.queued_tasks == 0


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
    desk.runner.started[1].answer(Answer([[b'"a"'], [b'"b"']], "v1", 1, mergeable=False))
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
    assert desk.observer.calls == [(1, 1, 0.25)] * 3
