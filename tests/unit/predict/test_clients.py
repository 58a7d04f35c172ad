"""What clients get: their own answer, once, in time, or an error that says why not."""

from __future__ import annotations

import asyncio
import gc

import pytest

from label_studio_ml.errors import ClientGone, PredictError, Unavailable, WorkerDied
from tests.support.played_runner import Desks, results, settle

pytestmark = pytest.mark.anyio


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


async def test_a_task_without_prediction_costs_only_itself(desks: Desks) -> None:
    desk = desks()
    await desk.ask("first", project="2")
    failing, other = await desk.ask("a", "bad", "b"), await desk.ask("c")
    await desk.answer_all()
    outcome = await failing
    assert results(outcome) == ["a", "", "b"]
    assert [problem.task for problem in outcome.problems] == ["bad"]
    assert (results(await other), (await other).problems) == (["c"], [])
    assert desk.observer.problems == [("1", "bad")]


async def test_in_strict_mode_only_the_request_with_the_failing_task_is_refused(desks: Desks) -> None:
    desk = desks(strict=True)
    await desk.ask("first")
    failing, other = await desk.ask("a", "bad 7"), await desk.ask("b")
    await desk.answer_all()
    assert desk.runner.calls[1:] == [[["a", "bad 7"], ["b"]]]
    with pytest.raises(PredictError, match=r"^Task bad 7: predict\(\) raised bad 7$"):
        await failing
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


@pytest.mark.parametrize("kind", ["interactive", "strict"])
async def test_a_click_and_strict_mode_get_an_error_at_the_deadline(desks: Desks, kind: str) -> None:
    desk = desks(predict_deadline=0.05, max_batch_size=2, strict=kind == "strict")
    asked = await desk.ask(*"abcd", interactive=kind == "interactive")
    with pytest.raises(Unavailable, match=r"No prediction after 0\.05 s .* for 4 tasks of project 1") as caught:
        await asked
    assert not isinstance(caught.value, WorkerDied)
    assert desk.clients.queued_tasks == 0
    other = await desk.ask("x")
    await desk.answer_all()
    assert desk.runner.calls == [[["a", "b"]], [["x"]]]
    assert results(await other) == ["x"]


async def test_the_very_same_request_asked_at_the_same_time_is_answered_once(desks: Desks) -> None:
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
