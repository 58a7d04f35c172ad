"""When a call is made, and which tasks are in it."""

from __future__ import annotations

import pytest

from label_studio_ml.errors import LoadError
from label_studio_ml.predict.batching import Batcher, next_step
from label_studio_ml.predict.delay import BatchDelay
from label_studio_ml.predict.queue import Queues
from label_studio_ml.processes.messages import Answer
from tests.support.played_runner import Desks, Observer, PlayedRunner, results, settle, until
from tests.support.requests_alone import NotingRequester

pytestmark = pytest.mark.anyio


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
    assert desk.clients.queued_tasks == 4
    desk.runner.started[0].answer()
    await settle()
    assert desk.runner.calls[1:] == [[["b"], ["c", "d"], ["e"]]]
    assert desk.clients.queued_tasks == 0
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


async def test_only_full_batches_are_sent_ahead(desks: Desks) -> None:
    desk = desks(max_batch_size=2)
    desk.runner.ahead = True
    await desk.ask("first")
    await desk.ask("x")
    assert desk.runner.calls == [[["first"]]]
    await desk.answer_all()
    await desk.ask(*"abcde")
    assert desk.runner.calls[2:] == [[["a", "b"]], [["c", "d"]]]


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


# --- the decision ----------------------------------------------------------------------------------------------

NEVER = BatchDelay(2)
PENDING = BatchDelay(2)
PENDING.begin(1.0, answered=1, waiting=1)


def queues_with(what: str) -> Queues:
    """Queues with some of: a click, a task in quarantine, a batch, a full batch (of two tasks)."""
    made, ask = Queues(2), NotingRequester().request
    kinds = what.split()
    if "quarantine" in kinds:
        made.quarantine([ask("q").take(1)])
    if "click" in kinds:
        made.add(ask("c", interactive=True))
    if "batch" in kinds or "full" in kinds:
        made.add(ask("b", "b") if "full" in kinds else ask("b"))
    return made


@pytest.mark.parametrize(
    ("what", "room", "delay", "step"),
    [
        ("", "now alone ahead", NEVER, "wait"),
        ("click quarantine full", "now alone ahead", NEVER, "interactive"),
        ("click quarantine full", "alone ahead", NEVER, "alone"),
        ("click quarantine full", "ahead", NEVER, "ahead"),
        ("click quarantine full", "", NEVER, "wait"),
        ("click", "now", PENDING, "interactive"),
        ("click", "alone ahead", NEVER, "wait"),
        ("quarantine", "now ahead", NEVER, "wait"),
        ("quarantine", "alone", PENDING, "alone"),
        ("quarantine batch", "now", NEVER, "batch"),
        ("batch", "now alone ahead", NEVER, "batch"),
        ("batch", "now alone ahead", PENDING, "wait"),
        ("full", "now", PENDING, "batch"),
        ("batch", "alone ahead", NEVER, "wait"),
        ("full", "alone ahead", NEVER, "ahead"),
        ("full", "alone", NEVER, "wait"),
    ],
)
def test_what_is_submitted_next(what: str, room: str, delay: BatchDelay, step: str) -> None:
    assert next_step(queues_with(what), lambda kind: kind in room.split(), delay) == step


# --- the batch delay -------------------------------------------------------------------------------------------


def test_the_delay_is_a_share_of_the_call_and_never_long() -> None:
    delays = [BatchDelay(9).begin(seconds, 1, 1) for seconds in (0.001, 0.05, 5.0)]
    assert delays == pytest.approx([0.0, 0.005, 0.01])


def test_there_is_no_delay_when_nobody_waits_nor_a_second_one() -> None:
    delay = BatchDelay(9)
    assert delay.begin(1.0, answered=2, waiting=0) == 0.0
    assert delay.begin(1.0, answered=2, waiting=1) > 0
    assert delay.begin(1.0, answered=2, waiting=1) == 0.0


def test_the_delay_holds_the_call_until_all_are_back_or_it_is_full() -> None:
    delay = BatchDelay(9)
    delay.begin(1.0, answered=2, waiting=1)
    assert delay.holds(requests=2, tasks=2)
    assert not delay.holds(requests=3, tasks=3)
    assert not delay.holds(requests=2, tasks=9)


def test_after_a_delay_in_which_nobody_came_back_there_is_none_for_some_calls() -> None:
    delay = BatchDelay(9)
    delay.begin(1.0, answered=1, waiting=1)
    delay.end(requests=1)
    skipped = [delay.begin(1.0, answered=1, waiting=1) for _ in range(20)]
    assert skipped == [0.0] * 20
    assert delay.begin(1.0, answered=1, waiting=1) > 0
    delay.end(requests=2)
    assert delay.begin(1.0, answered=1, waiting=1) > 0


# --- alone -----------------------------------------------------------------------------------------------------


async def test_whoever_made_a_request_gets_its_results_and_problems() -> None:
    runner, observer, requester = PlayedRunner(), Observer(), NotingRequester()
    waits: list[float] = []
    batcher = Batcher(runner, 2, observer, lambda _project: 3, waits.append)
    batcher.add(requester.request("a", "bad b", "c"))
    await settle()
    assert (batcher.queued_tasks, batcher.waiting(interactive=False), len(waits)) == (1, 1, 1)
    assert runner.started[0].call.version == 3
    runner.started[0].answer()
    await settle()
    runner.started[1].answer()
    assert requester.results == [(0, [b'"a"', b"[]"]), (2, [b'"c"'])]
    assert [problem.task for problem in requester.problems] == ["bad b"]
    assert observer.calls == [(2, 1, 0.001), (1, 1, 0.001)]
    batcher.stop()


async def test_a_removed_request_is_not_begun() -> None:
    runner, requester = PlayedRunner(), NotingRequester()
    batcher = Batcher(runner, 2, Observer(), lambda _project: 0, lambda _seconds: None)
    batcher.add(request := requester.request("a"))
    batcher.remove(request)
    await settle()
    assert (runner.started, runner.woken) == ([], 1)
