"""The status of the model settles, and whoever waits for that hears of it once."""

from __future__ import annotations

import asyncio

import pytest

from label_studio_ml.predict.status import StatusBoard
from label_studio_ml.processes.messages import Description

pytestmark = pytest.mark.anyio

DESCRIPTION = Description("Model", 2, [], learns=False, concurrent=False)


async def test_who_waits_hears_when_the_status_settles() -> None:
    board = StatusBoard()
    waiting = asyncio.ensure_future(board.settled())
    await asyncio.sleep(0)
    board.loading()
    assert not waiting.done()
    board.ready(DESCRIPTION)
    assert (await waiting).state == "ready"


async def test_who_waits_hears_of_a_failure_even_if_it_is_tried_again_at_once() -> None:
    board = StatusBoard()
    waiting = asyncio.ensure_future(board.settled())
    await asyncio.sleep(0)
    board.failed("no weights")
    board.loading()
    assert (await waiting).error == "no weights"


async def test_a_settled_status_is_known_at_once_and_a_later_one_can_be_waited_for() -> None:
    board = StatusBoard()
    board.failed("no weights", usage=True)
    first = await board.settled()
    again = asyncio.ensure_future(board.settled(after=first))
    await asyncio.sleep(0)
    assert (first.usage, again.done()) == (True, False)
    board.failed("no weights")
    assert (await again).usage is False


async def test_nobody_is_left_when_a_waiting_caller_gave_up() -> None:
    board = StatusBoard()
    waiting = asyncio.ensure_future(board.settled())
    await asyncio.sleep(0)
    waiting.cancel()
    board.ready(DESCRIPTION)
    assert (await board.settled()).state == "ready"


def test_what_the_class_is_like_stays_known() -> None:
    board = StatusBoard()
    board.ready(DESCRIPTION)
    for change in (board.loading, board.unloaded, lambda: board.failed("no weights")):
        change()
        assert board.current.description is DESCRIPTION
