"""One worker as the pool sees it: its state follows what happens, and nobody who waits for it is forgotten."""

from __future__ import annotations

from typing import Any

import pytest

from label_studio_ml import settings
from label_studio_ml.errors import LoadError, SourceError, WorkerDied
from label_studio_ml.predict.process import Process
from label_studio_ml.predict.states import WorkerState
from label_studio_ml.processes import messages
from label_studio_ml.processes.messages import Answer, Broken, Configure, Source, Stop
from tests.support.played_children import (
    DESCRIPTION,
    READY,
    NotingListener,
    PlayedChild,
    PlayedChildren,
    call,
    played_children,
)
from tests.support.played_runner import settle

pytestmark = pytest.mark.anyio


class Events:
    """Notes what happens to workers."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def imported(self, worker: Process) -> None:
        self.heard.append("imported")

    def broken(self, worker: Process, message: Broken) -> None:
        self.heard.append("broken")

    def call_ended(self, worker: Process) -> None:
        self.heard.append("call ended")

    def lost(self, worker: Process) -> None:
        self.heard.append("lost")


@pytest.fixture
def children(monkeypatch: pytest.MonkeyPatch) -> PlayedChildren:
    return played_children(monkeypatch)


@pytest.fixture
def events() -> Events:
    return Events()


async def started(events: Events, children: PlayedChildren, **options: Any) -> tuple[Process, PlayedChild]:
    """A worker whose process has said what it says at first."""
    worker = Process("worker 1", 0, settings.load({}, **options), events)
    await worker.start({}, Configure("worker 1", Source("model.py"), {}))
    await settle()
    return worker, children[-1]


async def ready(events: Events, children: PlayedChildren, **options: Any) -> tuple[Process, PlayedChild]:
    worker, child = await started(events, children, **options)
    worker.finish_loading()
    events.heard.clear()
    return worker, child


async def test_a_worker_starts_loads_and_is_ready(events: Events, children: PlayedChildren) -> None:
    children.imports = None
    worker, child = await started(events, children, threads=3)
    assert worker.state is WorkerState.STARTING
    child.say(READY)
    await settle()
    assert (worker.state, worker.description, worker.limit) == (WorkerState.LOADING, DESCRIPTION, 3)
    worker.finish_loading()
    await worker.until_loaded()
    assert (worker.state, worker.serves, events.heard) == (WorkerState.READY, True, ["imported"])


@pytest.mark.parametrize(("usage", "kind"), [(False, LoadError), (True, SourceError)])
async def test_code_that_cannot_be_imported_breaks_the_worker(
    events: Events, children: PlayedChildren, usage: bool, kind: type[Exception]
) -> None:
    children.imports = Broken("No module named torch", "", usage)
    worker, _ = await started(events, children)
    with pytest.raises(kind, match="No module named torch"):
        await worker.until_loaded()
    assert (worker.state, events.heard) == (WorkerState.BROKEN, ["broken"])


async def test_a_worker_that_is_not_wanted_any_more_does_not_become_ready(
    events: Events, children: PlayedChildren
) -> None:
    children.imports = None
    worker, child = await started(events, children)
    worker.retire()
    child.say(READY)
    await settle()
    worker.finish_loading()
    assert (worker.state, events.heard) == (WorkerState.RETIRING, [])


async def test_a_call_is_answered_in_parts_and_counted(events: Events, children: PlayedChildren) -> None:
    worker, child = await ready(events, children)
    listener = NotingListener()
    made = call(b"1", b"2")
    worker.predict(made, listener)
    assert (child.calls, worker.calls, worker.is_busy) == ([made], 1, True)
    child.say(messages.Streamed(made.id, Answer([b"1"], "v", 0)))
    child.say(messages.Answered(made.id, Answer([b"2"], "v", 0), 1.0))
    await settle()
    assert (listener.results, worker.served, worker.calls, worker.seconds) == ([b"1", b"2"], 1, 0, 0.3)
    assert events.heard == ["call ended"]


async def test_a_call_that_needs_an_instance_that_cannot_be_made_fails(
    events: Events, children: PlayedChildren
) -> None:
    worker, child = await ready(events, children)
    listener = NotingListener()
    worker.predict(made := call(), listener)
    child.say(messages.NotLoaded(made.id, "no weights", ""))
    await settle()
    assert isinstance(listener.error, LoadError)
    assert (events.heard, worker.calls) == (["call ended"], 0)


async def test_after_a_call_that_was_alone_others_may_come(events: Events, children: PlayedChildren) -> None:
    worker, child = await ready(events, children)
    worker.become(WorkerState.ALONE)
    worker.predict(call(), NotingListener())
    child.answer()
    await settle()
    assert worker.state is WorkerState.READY


async def test_a_worker_that_ends_fails_all_who_wait_for_it(events: Events, children: PlayedChildren) -> None:
    worker, child = await ready(events, children)
    child.warms = False
    listeners = [NotingListener(), NotingListener()]
    for listener in listeners:
        worker.predict(call(), listener)
    warming = worker._ask(messages.Warm("1", None, 0))
    child.go()
    await settle()
    assert (worker.state, events.heard) == (WorkerState.LOST, ["lost"])
    worker.fail_calls(f"It {await worker.reap()}.")
    errors = [listener.error for listener in listeners]
    assert [(str(error), error.alone, error.stuck) for error in errors if isinstance(error, WorkerDied)] == [
        ("It ended with exit code 9.", False, False)
    ] * 2
    with pytest.raises(WorkerDied):
        await warming
    with pytest.raises(WorkerDied):
        await worker.warm("1", None, 0)


@pytest.mark.parametrize("state", ["ready", "alone", "retiring"])
async def test_a_call_that_takes_too_long_is_ended(events: Events, children: PlayedChildren, state: str) -> None:
    worker, child = await ready(events, children, predict_timeout=0.01)
    assert not worker.is_overdue
    if state != "ready":
        worker.become(WorkerState(state))
    listener = NotingListener()
    worker.predict(made := call(), listener)
    child.say(messages.Loading(made.id, over=False))
    await settle()
    assert not worker.is_overdue, "an instance is being constructed"
    child.say(messages.Loading(made.id, over=True))
    await settle()
    while not worker.is_overdue:
        await settle()
    worker.end_as_stuck("It took too long.")
    assert (worker.state, child.kills, worker.is_overdue) == (WorkerState.STUCK, 1, False)
    worker.retire()
    assert worker.state is WorkerState.STUCK, "its state says why it ends"
    await settle()
    worker.fail_calls("It was ended by SIGKILL.")
    error = listener.error
    assert isinstance(error, WorkerDied)
    assert (str(error), error.alone, error.stuck) == ("It took too long.", True, True)


async def test_of_a_call_sent_ahead_the_time_begins_when_its_turn_comes(
    events: Events, children: PlayedChildren
) -> None:
    worker, child = await ready(events, children, predict_timeout=1000)
    worker.predict(call(), NotingListener())
    worker.predict(call(), NotingListener())
    began = [running.began for running in worker._calls.values()]
    child.answer(0)
    await settle()
    (running,) = worker._calls.values()
    assert running.began > began[1]


async def test_a_worker_that_retires_is_told_and_is_gone_when_it_has_finished(
    events: Events, children: PlayedChildren
) -> None:
    worker, child = await ready(events, children)
    await worker.end(10)
    assert child.heard[-1] == Stop()
    assert worker.is_lost


async def test_a_worker_that_does_not_stop_is_killed(
    events: Events, children: PlayedChildren, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker, child = await ready(events, children)
    monkeypatch.setattr(child, "send", lambda _frame: None)
    await worker.end(0.01)
    assert child.kills == 1


async def test_a_process_that_has_ended_without_its_socket_closing_is_noticed(
    events: Events, children: PlayedChildren
) -> None:
    worker, child = await ready(events, children)
    worker.kill_if_exited()
    assert child.kills == 0
    child.exited = True
    worker.kill_if_exited()
    assert child.kills == 1


async def test_the_instances_used_last_are_known(events: Events, children: PlayedChildren) -> None:
    worker, _ = await ready(events, children, max_loaded_models=2)
    for project in ("1", "2", "1", "3"):
        worker.predict(call(project=project), NotingListener())
    assert list(worker.loaded) == [("1", None), ("3", None)]
