"""Pauses between attempts grow, have a bound, and can be cut short."""

from __future__ import annotations

import asyncio

import pytest

from label_studio_ml.predict.backoff import Backoff


def test_each_pause_is_twice_as_long_up_to_the_longest() -> None:
    backoff = Backoff(1.0, 5.0)
    assert [backoff.next() for _ in range(4)] == [1.0, 2.0, 4.0, 5.0]
    assert backoff.has_begun
    backoff.reset()
    assert (backoff.has_begun, backoff.next()) == (False, 1.0)


def test_the_first_attempt_may_be_made_at_once() -> None:
    backoff = Backoff(0.1, 30.0, at_once=True)
    assert [backoff.next() for _ in range(3)] == [0.0, 0.2, 0.4]


def test_attempts_for_days_are_no_fault() -> None:
    backoff = Backoff(0.1, 30.0)
    assert {backoff.next() for _ in range(5000)} > {30.0}


@pytest.mark.anyio
async def test_a_pause_ends_by_itself_or_is_cut_short() -> None:
    backoff = Backoff(1.0, 5.0)
    await asyncio.wait_for(backoff.pause(0.0), 10)
    pausing = asyncio.ensure_future(backoff.pause(1000))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    backoff.cut_short()
    await asyncio.wait_for(pausing, 10)
