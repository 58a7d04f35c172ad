"""A fault in the background work of training is logged and ends nothing else."""

from __future__ import annotations

import asyncio

import pytest

from label_studio_ml.errors import StoreError
from label_studio_ml.train.faults import contained

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(("result", "expected"), [(True, True), (False, False), (None, False)])
async def test_work_says_whether_it_found_something_to_do(result: bool | None, expected: bool) -> None:
    async def work() -> bool | None:
        return result

    assert await contained(work) is expected


@pytest.mark.parametrize(
    ("error", "said"),
    [(StoreError("The disk is full."), "Training waits: The disk is full."), (KeyError("x"), "unexpected error")],
)
async def test_a_fault_is_logged_and_counts_as_nothing_to_do(
    error: Exception, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def work() -> bool:
        raise error

    assert await contained(work) is False
    assert said in caplog.text


async def test_work_can_be_cancelled() -> None:
    task = asyncio.create_task(contained(asyncio.Event().wait))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
