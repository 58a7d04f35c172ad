"""A worker that ends costs no task its prediction but the one that no worker survives."""

from __future__ import annotations

import pytest

from label_studio_ml.errors import PredictError, WorkerDied
from label_studio_ml.predict.queue import Queues
from label_studio_ml.predict.request import Piece
from label_studio_ml.predict.retries import Retries
from tests.support.played_runner import Desk, Desks, given, results, settle
from tests.support.requests_alone import NotingRequester, names

pytestmark = pytest.mark.anyio


async def end_all(desk: Desk, poison: str, *, stuck: bool = False) -> None:
    """Answer what runs; whatever holds the poison task ends its worker."""
    while running := desk.runner.running:
        if any(poison in tasks for tasks in given(running[0].call)):
            running[0].die("It ended.", stuck=stuck)
            await settle()
            await desk.runner.replace_worker()
        else:
            running[0].answer()
        await settle()


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


async def test_tasks_whose_worker_dies_beside_another_call_are_not_given_up(desks: Desks) -> None:
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


async def test_three_poison_tasks_in_a_row_make_the_model_a_failing_one(desks: Desks) -> None:
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


# --- alone -----------------------------------------------------------------------------------------------------


class Tried:
    """`Retries` with queues, and what is in quarantine."""

    def __init__(self) -> None:
        self.queues, self.suspensions = Queues(9), list[str]()
        self.retries = Retries(self.queues, self.suspensions.append)
        self.requester = NotingRequester()

    def piece(self, *tasks: str) -> Piece:
        return self.requester.request(*tasks).take(9)

    def quarantined(self) -> list[Piece]:
        found = []
        while self.queues.has_quarantined:
            found += self.queues.take_quarantined()
        return found


ALONE, BESIDE, STUCK = WorkerDied(alone=True), WorkerDied(alone=False), WorkerDied(alone=True, stuck=True)


@pytest.mark.parametrize(
    ("pieces", "error", "again"),
    [
        (["abc"], ALONE, ["a", "bc"]),
        (["abc"], STUCK, ["a", "bc"]),
        (["abc"], BESIDE, ["abc"]),
        (["ab", "c"], ALONE, ["ab", "c"]),
        (["ab", "c"], STUCK, ["ab", "c"]),
        (["a"], ALONE, ["a"]),
        (["a"], BESIDE, ["a"]),
        (["a"], STUCK, []),
    ],
)
def test_what_is_tried_again_after_a_worker_ended(pieces: list[str], error: WorkerDied, again: list[str]) -> None:
    tried = Tried()
    tried.retries.worker_died([tried.piece(*tasks) for tasks in pieces], error)
    assert ["".join(tasks) for tasks in names(tried.quarantined())] == again
    assert [problem.reason for problem in tried.requester.problems] == ([] if again else ["timeout"])


def test_a_single_task_is_given_up_when_it_ends_a_second_worker() -> None:
    tried = Tried()
    piece = tried.piece("a")
    tried.retries.worker_died([piece], ALONE)
    tried.retries.worker_died(tried.quarantined(), BESIDE)
    tried.retries.worker_died(tried.quarantined(), ALONE)
    assert not tried.queues
    assert tried.requester.results == [(0, [b"[]"])]
    assert [problem.reason for problem in tried.requester.problems] == ["crashed"]


def test_what_is_over_or_has_its_results_is_not_tried_again() -> None:
    tried = Tried()
    closed, finished = tried.piece("a"), tried.piece("b")
    closed.request.close()
    finished.fill([b"[]"])
    tried.retries.worker_died([closed, finished], ALONE)
    assert not tried.queues


def test_poison_tasks_count_only_while_nothing_else_is_answered() -> None:
    tried = Tried()
    for answered in (False, False, True, False, False):
        if answered:
            tried.retries.answered()
        else:
            tried.retries.worker_died([tried.piece("a")], STUCK)
    assert tried.suspensions == []
    tried.retries.worker_died([tried.piece("a")], STUCK)
    assert len(tried.suspensions) == 1
