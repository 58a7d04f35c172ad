"""Workers take calls, are replaced, exchanged, suspended and unloaded; played ones first, then real processes."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from label_studio_ml import settings
from label_studio_ml.errors import LabelStudioError, LoadError, WorkerDied
from label_studio_ml.predict.pool import Pool
from label_studio_ml.predict.states import WorkerState
from label_studio_ml.processes import messages
from label_studio_ml.processes.messages import Broken, Source, Stop
from label_studio_ml.store import projects
from label_studio_ml.store.database import Database
from tests.support import obedient
from tests.support.played_children import NotingListener, PlayedChildren, call, played_children
from tests.support.played_runner import settle, until

pytestmark = pytest.mark.anyio


@pytest.fixture
def children(monkeypatch: pytest.MonkeyPatch) -> PlayedChildren:
    return played_children(monkeypatch)


class Bench:
    """A pool with what it was told, and short ways to ask it."""

    def __init__(self, source: Source, forwarded: dict[str, Any], preloaded: list[tuple[str, str | None]]) -> None:
        self.version = 0
        self.restarts = 0
        self.rooms = 0
        config = settings.load({}, **forwarded)
        self.pool = Pool(source, config, forwarded, lambda _project: self.version, self._restarted, preloaded)
        self.pool.subscribe(self._room)

    def states(self) -> list[WorkerState]:
        return [worker.state for worker in self.pool._workers.current]

    def submit(self, *tasks: bytes, room: Any = "now") -> NotingListener:
        """Submit a call for which there must be room."""
        assert self.pool.has_room(room)
        listener = NotingListener()
        self.pool.submit(call(*tasks, version=self.version), listener, room)
        return listener

    def has(self) -> str:
        """For which calls there is room."""
        return " ".join(room for room in ("now", "ahead", "alone") if self.pool.has_room(room))

    async def switch(self, version: int) -> None:
        """Move to another version, as the rollout does."""

        async def activate(_name: str) -> None:
            self.version = version

        await self.pool.swap("1", version, activate)

    def _restarted(self) -> None:
        self.restarts += 1

    def _room(self) -> None:
        self.rooms += 1


Make = Callable[..., Awaitable[Bench]]


@pytest.fixture
async def make() -> AsyncIterator[Make]:
    """Makes pools whose workers have had the time to load, if they are played."""
    made: list[Bench] = []

    async def make(
        source: Source | None = None, preloaded: list[tuple[str, str | None]] | None = None, **options: Any
    ) -> Bench:
        made.append(Bench(source or Source("model.py"), options, preloaded or []))
        await made[-1].pool.start()
        await settle()
        return made[-1]

    yield make
    for bench in made:
        await bench.pool.stop(0.2)
    await settle()


# --- who takes a call ------------------------------------------------------------------------------------------


async def test_the_worker_with_the_least_to_do_takes_the_call(make: Make, children: PlayedChildren) -> None:
    bench = await make(workers=2, threads=2)
    for _ in range(3):
        bench.submit()
    assert [len(child.calls) for child in children] == [2, 1]
    bench.submit()
    assert bench.has() == ""
    children[0].answer()
    await settle()
    assert bench.has() == "now"
    assert bench.rooms > 0


async def test_devices_are_shared_in_turn(make: Make, children: PlayedChildren) -> None:
    await make(workers=3, devices="3, 5")
    assert [child.device for child in children] == ["3", "5", "3"]


async def test_a_call_is_sent_ahead_only_while_calls_are_quick(make: Make, children: PlayedChildren) -> None:
    bench = await make()
    bench.submit()
    assert bench.has() == "", "how long a call takes is not known yet"
    children[0].answer(seconds=0.001)
    await settle()
    bench.submit()
    assert bench.has() == "ahead"
    bench.submit(room="ahead")
    assert bench.has() == ""
    children[0].answer(1, seconds=1.0)
    await settle()
    assert bench.has() == ""


async def test_a_reserved_worker_gets_nothing_until_a_call_can_be_alone(
    make: Make, children: PlayedChildren
) -> None:
    bench = await make(workers=2, threads=2)
    first, second = bench.submit(), bench.submit()
    assert bench.has() == "now"
    for _ in range(2):
        bench.pool.reserve(True)
    assert bench.states() == [WorkerState.RESERVED, WorkerState.READY]
    bench.submit()
    assert bench.has() == "", "the other worker is full and this one waits for its call"
    children[0].answer()
    await first.ended.wait()
    assert bench.has() == "alone"
    alone = bench.submit(room="alone")
    bench.pool.reserve(True)
    assert (bench.states()[0], bench.has()) == (WorkerState.ALONE, "")
    children[0].answer()
    await alone.ended.wait()
    bench.pool.reserve(False)
    assert bench.states() == [WorkerState.READY] * 2
    assert not second.ended.is_set()


async def test_what_is_not_needed_alone_any_more_is_given_calls_again(make: Make, children: PlayedChildren) -> None:
    bench = await make()
    bench.pool.reserve(True)
    assert bench.has() == "alone"
    bench.pool.reserve(False)
    assert bench.has() == "now alone"


# --- loading ---------------------------------------------------------------------------------------------------


async def test_there_is_no_room_until_a_worker_is_loaded(make: Make, children: PlayedChildren) -> None:
    children.warms = False
    bench = await make(preloaded=[("1", "<View/>")])
    assert (bench.has(), bench.states(), bench.pool.status.state) == ("", [WorkerState.LOADING], "loading")
    (warm,) = [message for message in children[0].heard if isinstance(message, messages.Warm)]
    children[0].say(messages.Warmed(warm.id, "v0"))
    assert (await bench.pool.settled()).state == "ready"
    assert (bench.has(), warm.label_config) == ("now alone", "<View/>")


async def test_code_that_cannot_be_imported_refuses_calls_at_once(make: Make, children: PlayedChildren) -> None:
    children.imports = Broken("No module named torch", "", usage=False)
    bench = await make()
    assert (await bench.pool.settled()).error == "No module named torch"
    listener = bench.submit()
    await listener.ended.wait()
    assert isinstance(listener.error, LoadError)


async def test_what_is_to_be_there_from_the_start_and_cannot_be_constructed_fails_the_model(
    make: Make, children: PlayedChildren
) -> None:
    children.warms = False
    bench = await make(preloaded=[("1", None)])
    children[0].say(messages.NotLoaded(children[0].heard[-1].id, "no weights", ""))
    assert (await bench.pool.settled()).error == "no weights"
    assert bench.states() == [WorkerState.BROKEN]
    with pytest.raises(LoadError, match="no weights"):
        await bench.pool.warm("1", None)


async def test_one_worker_that_cannot_be_loaded_does_not_matter_while_others_answer(
    make: Make, children: PlayedChildren
) -> None:
    bench = await make(workers=2)
    children.imports = Broken("No module named torch", "", usage=False)
    children[0].go()
    await settle()
    assert (len(children), bench.pool.status.state, bench.has()) == (3, "ready", "now alone")


# --- ended and replaced ----------------------------------------------------------------------------------------


async def test_a_worker_that_ends_fails_its_own_calls_only_and_is_replaced(
    make: Make, children: PlayedChildren
) -> None:
    bench = await make(workers=2)
    lost, kept = bench.submit(), bench.submit()
    children[0].go()
    await lost.ended.wait()
    assert isinstance(lost.error, WorkerDied)
    assert str(lost.error) == "The process running the model ended with exit code 9."
    await settle()
    children[1].answer()
    await kept.ended.wait()
    assert (kept.error, bench.restarts, bench.states()) == (None, 1, [WorkerState.READY] * 2)
    assert bench.pool.pids == [1002, 1001], "the new one has the place of the old one"


async def test_workers_that_end_again_and_again_while_they_load_fail_the_model_and_are_tried_again(
    make: Make, children: PlayedChildren
) -> None:
    children.imports = None
    bench = await make()
    children[0].go()
    await settle()
    assert (len(children), bench.pool.status.state) == (2, "loading"), "the first time may have been an accident"
    children[1].go()
    assert (await bench.pool.settled()).error == "The process loading the model ended with exit code 9."
    bench.pool.retry()
    await until(lambda: len(children) == 3, "another try")
    children[2].say(messages.Ready(messages.Description("M", 2, [], learns=False, concurrent=False)))
    await until(lambda: bench.pool.status.state == "ready", "the model to be ready")


async def test_workers_that_end_while_others_answer_do_not_count_against_the_model(
    make: Make, children: PlayedChildren
) -> None:
    bench = await make(workers=2)
    children.imports = None
    children[0].go()
    await until(lambda: len(children) == 3, "a replacement")
    children[2].go()
    await settle()
    bench.pool.retry()
    await until(lambda: len(children) == 4, "another one")
    children[1].go()
    await settle()
    children[3].go()
    await settle()
    assert bench.pool.status.state == "ready", "the first that ends with nobody left may have been an accident"


async def test_a_call_that_takes_too_long_ends_its_worker(make: Make, children: PlayedChildren) -> None:
    bench = await make(predict_timeout=0.01)
    listener = bench.submit()
    await until(listener.ended.is_set, "the call to be ended")
    assert isinstance(listener.error, WorkerDied)
    assert (listener.error.stuck, children[0].kills > 0) == (True, True)
    await until(lambda: bench.states() == [WorkerState.READY], "a replacement")


async def test_a_model_that_no_worker_survives_is_not_asked_for_a_while(
    make: Make, children: PlayedChildren
) -> None:
    bench = await make()
    bench.pool.suspend("It ended.")
    bench.pool.suspend("It ended, again.")
    assert bench.pool.status.error == "The model does not survive being asked. It ended."
    listener = bench.submit()
    await listener.ended.wait()
    assert (isinstance(listener.error, LoadError), children[0].calls) == (True, [])
    bench.pool.retry()
    await until(lambda: bench.pool.status.state == "ready", "the model to be asked again")
    assert bench.has() == "now alone"


# --- exchanged -------------------------------------------------------------------------------------------------


async def test_another_version_is_loaded_beside_the_old_one_which_finishes_what_it_has(
    make: Make, children: PlayedChildren
) -> None:
    bench = await make()
    before = bench.submit()
    children.warms = False
    swapping = asyncio.ensure_future(bench.switch(1))
    await settle()
    assert (len(children), swapping.done()) == (2, False)
    children[0].answer()
    await before.ended.wait()
    during = bench.submit()
    children[1].say(messages.Warmed(children[1].heard[-1].id, "v1"))
    await swapping
    after = bench.submit()
    assert [[made.version for made in child.calls] for child in children] == [[0, 0], [1]]
    assert children[0].heard[-1] == Stop()
    assert (before.error, after.error) == (None, None)
    await settle()
    assert not children[0].exited, "it has a call still"
    children[0].answer()
    await during.ended.wait()
    await settle()
    assert (during.error, children[0].exited) == (None, True)


async def test_a_version_that_cannot_be_loaded_leaves_the_old_workers_where_they_are(
    make: Make, children: PlayedChildren
) -> None:
    bench = await make()
    children.imports = Broken("No module named torch", "", usage=True)
    with pytest.raises(LoadError, match="No module named torch"):
        await bench.switch(1)
    assert (bench.version, bench.states(), bench.pool.pids) == (0, [WorkerState.READY], [1000])
    assert children[1].kills > 0


async def test_a_new_worker_that_ends_before_it_takes_over_is_an_error_and_no_replacement(
    make: Make, children: PlayedChildren
) -> None:
    bench = await make()
    children.imports = None
    swapping = asyncio.ensure_future(bench.switch(1))
    await settle()
    children[1].go()
    with pytest.raises(WorkerDied, match="The process loading the model ended"):
        await swapping
    await settle()
    assert (bench.pool.pids, bench.restarts, len(children)) == ([1000], 0, 2)


async def test_changed_code_gets_new_workers_in_every_place(make: Make, children: PlayedChildren) -> None:
    bench = await make(workers=2)
    await bench.pool.reload()
    await settle()
    assert bench.pool.pids == [1002, 1003]
    assert [child.heard[-1] == Stop() for child in children] == [True, True, False, False]


async def test_a_worker_that_has_served_long_enough_is_replaced_by_one_that_has_its_instances(
    make: Make, children: PlayedChildren
) -> None:
    bench = await make(max_requests_per_worker=1)
    listener = bench.submit()
    children[0].answer()
    await listener.ended.wait()
    await until(lambda: bench.pool.pids == [1001], "the replacement")
    assert [message.project_id for message in children[1].heard if isinstance(message, messages.Warm)] == ["1"]


# --- unloaded --------------------------------------------------------------------------------------------------


async def test_a_model_that_nobody_uses_is_unloaded_and_loaded_when_it_is_needed(
    make: Make, children: PlayedChildren
) -> None:
    bench = await make(unload_after=0.01)
    await until(lambda: bench.pool.status.state == "unloaded", "the model to be unloaded")
    assert (bench.pool.pids, bench.has()) == ([], "")
    assert await bench.pool.warm("1", None) == "v0"
    assert (bench.pool.status.state, bench.has()) == ("ready", "now alone")


async def test_a_model_that_is_at_a_call_is_not_unloaded(make: Make, children: PlayedChildren) -> None:
    bench = await make(unload_after=0.01)
    listener = bench.submit()
    bench.pool._workers.used_at = time.monotonic() - 1000
    bench.pool._upkeep.look()
    assert bench.pool.status.state == "ready"
    children[0].answer()
    await listener.ended.wait()
    bench.pool._upkeep.look()
    assert bench.pool.pids == []


# --- stored ----------------------------------------------------------------------------------------------------


async def test_predictions_are_stored_by_a_worker_and_what_label_studio_says_is_passed_on(
    make: Make, children: PlayedChildren
) -> None:
    bench = await make()
    storing = asyncio.ensure_future(bench.pool.store("1", [{"task": 1}]))
    await settle()
    children[0].say(messages.Stored(children[0].heard[-1].id, "Its token is not known."))
    with pytest.raises(LabelStudioError, match="Its token is not known"):
        await storing


async def test_nothing_can_be_stored_without_a_worker(make: Make, children: PlayedChildren) -> None:
    children.imports = None
    bench = await make()
    with pytest.raises(WorkerDied, match="There is no process"):
        await bench.pool.store("1", [])


# --- real processes --------------------------------------------------------------------------------------------


def tokens(listener: NotingListener) -> list[str]:
    return [msgspec.json.decode(item)["token"] for item in listener.results]


def task(do: str = "", **data: Any) -> bytes:
    return msgspec.json.encode(obedient.task(do, **data))


async def test_real_workers_serve_start_die_get_stuck_and_are_exchanged(
    make: Make, database: Database, tmp_path: Path
) -> None:
    """One start of two workers is shared by what would be many tests."""
    database.write(projects.save, "1", label_config="<View/>")
    bench = await make(
        Source(str(obedient.OBEDIENT), "Obedient"),
        [("1", None)],
        workers=2,
        predict_timeout=4.0,
        database_url=database.url,
        model_dir=str(tmp_path),
    )
    pool = bench.pool
    assert (await asyncio.wait_for(pool.settled(), 60)).state == "ready"
    await until(lambda: bench.states() == [WorkerState.READY] * 2, "both workers to be ready")

    # A dead worker fails only its own call, and traffic flows while another one starts.
    gate = obedient.Gate(tmp_path / "gate")
    held = bench.submit(msgspec.json.encode(gate.task()))
    dying = bench.submit(task("exit"))
    await asyncio.wait_for(dying.ended.wait(), 30)
    assert isinstance(dying.error, WorkerDied)
    assert str(dying.error) == "The process running the model ended with exit code 7."
    gate.open()
    await asyncio.wait_for(held.ended.wait(), 30)
    while bench.states().count(WorkerState.READY) < 2:
        listener = bench.submit(task())
        await asyncio.wait_for(listener.ended.wait(), 30)
        assert (listener.error, len(tokens(listener))) == (None, 1)

    # A call that takes too long is ended, and the other worker answers meanwhile.
    stuck, beside = bench.submit(task("hang_holding_the_gil")), bench.submit(task())
    await asyncio.wait_for(beside.ended.wait(), 30)
    await asyncio.wait_for(stuck.ended.wait(), 30)
    assert (beside.error, isinstance(stuck.error, WorkerDied) and stuck.error.stuck) == (None, True)

    # New workers take over while calls go on, and the old ones are gone afterwards.
    await until(lambda: bench.states() == [WorkerState.READY] * 2, "both workers to be ready")
    old = pool.pids
    reloading = asyncio.ensure_future(pool.reload())
    answered = 0
    while not reloading.done():
        listener = bench.submit(task())
        await asyncio.wait_for(listener.ended.wait(), 30)
        assert listener.error is None
        answered += 1
    await reloading
    assert answered > 1
    assert not set(old) & set(pool.pids)
    await until(lambda: not any(is_there(pid) for pid in old), "the old workers to be gone")

    # An idle worker that is killed is replaced, too.
    os.kill(pool.pids[0], signal.SIGKILL)
    await until(lambda: bench.restarts == 3, "the worker to be reaped")
    await until(lambda: bench.states() == [WorkerState.READY] * 2, "a replacement")


def is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
