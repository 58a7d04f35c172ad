"""Who is served when, and what is not computed at all: turns, limits, clients that leave, deadlines."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.processes import wait_until
from tests.support import obedient, predict_clients, server_state
from tests.support.obedient import Calls, Gate, Json
from tests.support.servers import ServerProcess, StartServer

ALONE = ("--max-batch-size", "1")


class Held:
    """A server whose only worker is busy until the test says so; what is asked meanwhile has to queue."""

    def __init__(self, start: StartServer, folder: Path, *options: str, form: str = "Obedient") -> None:
        self.calls = Calls(folder / "calls")
        self.gate = Gate(folder / "gate")
        self.server: ServerProcess = start(obedient.source(form), *options, CALLS=str(self.calls.path))

    def hold(self, clients: predict_clients.Crowd, project: str = "7") -> None:
        """Have the worker begin with the task."""
        reply = clients.send(obedient.body([self.gate.task()], project))
        wait_until(lambda: self.gate.entered or reply.done(), 30, "the model to be held up")
        assert not reply.done(), reply.result().text

    def later(self) -> list[Json]:
        """The calls of predict() after the one that held it up."""
        return self.calls.lines[1:]


# --- turns ---------------------------------------------------------------------------------------------------


def position(held: Held, task: Json) -> int:
    """How many calls came between the one that held the worker up and this task's."""
    return next(number for number, call in enumerate(held.later()) if obedient.token(task) in call["tokens"])


def test_a_small_request_does_not_wait_for_another_projects_large_one(
    start_server: StartServer, tmp_path: Path
) -> None:
    held = Held(start_server, tmp_path, "--max-batch-size", "50")
    large, small = obedient.tasks(2000), obedient.tasks(1)
    with predict_clients.crowd(held.server) as clients:
        held.hold(clients)
        first = clients.send(obedient.body(large, "7"))
        server_state.wait_queued(held.server, 2000)
        second = clients.send(obedient.body(small, "8"))
        server_state.wait_queued(held.server, 2001)
        held.gate.open()

        assert obedient.answered(second.result()) == obedient.expected(small)
        assert obedient.answered(first.result()) == obedient.expected(large)
    assert position(held, small[0]) <= 2
    assert len(held.later()) == 41


def test_every_project_gets_its_turn(start_server: StartServer, tmp_path: Path) -> None:
    held = Held(start_server, tmp_path, "--max-batch-size", "10")
    requests = {project: obedient.tasks(100) for project in "1234"}
    with predict_clients.crowd(held.server) as clients:
        held.hold(clients)
        replies = {}
        for number, (project, tasks) in enumerate(requests.items(), start=1):
            replies[project] = clients.send(obedient.body(tasks, project))
            server_state.wait_queued(held.server, 100 * number)
        held.gate.open()
        for project, tasks in requests.items():
            assert obedient.answered(replies[project].result()) == obedient.expected(tasks)

    owner = {obedient.token(task): project for project, tasks in requests.items() for task in tasks}
    turns = [owner[call["tokens"][0]] for call in held.later()]
    assert len(turns) == 40
    assert all(set(turns[start : start + 4]) == set("1234") for start in range(0, 40, 4)), turns


def test_requests_of_one_project_take_turns_chunk_by_chunk(start_server: StartServer, tmp_path: Path) -> None:
    held = Held(start_server, tmp_path, "--max-batch-size", "10")
    large, small = obedient.tasks(500), obedient.tasks(15)
    with predict_clients.crowd(held.server) as clients:
        held.hold(clients)
        first = clients.send(obedient.body(large))
        server_state.wait_queued(held.server, 500)
        second = clients.send(obedient.body(small))
        server_state.wait_queued(held.server, 515)
        held.gate.open()
        assert obedient.answered(first.result()) == obedient.expected(large)
        assert obedient.answered(second.result()) == obedient.expected(small)

    assert position(held, small[-1]) <= 6, "its two chunks do not wait for the other's fifty"


def test_a_click_goes_before_everything_else_and_alone(start_server: StartServer, tmp_path: Path) -> None:
    held = Held(start_server, tmp_path, "--max-batch-size", "50")
    large, click = obedient.tasks(2000), obedient.tasks(1)
    with predict_clients.crowd(held.server) as clients:
        held.hold(clients)
        first = clients.send(obedient.body(large))
        server_state.wait_queued(held.server, 2000)
        second = clients.send(obedient.body(click, context=obedient.CLICK))
        server_state.wait_queued(held.server, 2001)
        held.gate.open()

        assert obedient.answered(second.result()) == obedient.expected(click)
        assert obedient.answered(first.result()) == obedient.expected(large)
    assert held.later()[0]["tokens"] == [obedient.token(click[0])]


def test_a_click_that_waits_while_the_only_worker_dies_and_the_request_that_ended_it_are_both_answered(
    start_server: StartServer, tmp_path: Path
) -> None:
    server, gate = start_server(obedient.source()), Gate(tmp_path / "gate")
    poison, click = gate.task("exit"), obedient.tasks(1)
    everybody = [*obedient.tasks(2), poison]
    with predict_clients.crowd(server) as clients:
        first = clients.send(obedient.body(everybody))
        gate.wait_entered()
        second = clients.send(obedient.body(click, context=obedient.CLICK))
        server_state.wait_queued(server, 1)
        gate.open()

        assert obedient.answered(second.result(timeout=30)) == obedient.expected(click)
        assert obedient.answered(first.result(timeout=30)) == obedient.expected(everybody, [poison])


def test_requests_that_wait_share_a_call(start_server: StartServer, tmp_path: Path) -> None:
    held = Held(start_server, tmp_path)
    requests = [obedient.tasks(1) for _ in range(10)]
    with predict_clients.crowd(held.server) as clients:
        held.hold(clients)
        replies = [clients.send(obedient.body(each)) for each in requests]
        server_state.wait_queued(held.server, 10)
        held.gate.open()

        assert obedient.all_answered(replies, requests)
    assert [len(call["tokens"]) for call in held.later()] == [10]


# --- limits --------------------------------------------------------------------------------------------------


def test_beyond_the_limit_of_the_queue_requests_are_sent_away_and_everyone_within_it_is_served(
    start_server: StartServer, tmp_path: Path
) -> None:
    held = Held(start_server, tmp_path, "--max-queued-tasks", "20", *ALONE)
    requests = [obedient.tasks(5) for _ in range(4)]
    with predict_clients.crowd(held.server) as clients:
        held.hold(clients)
        replies = [clients.send(obedient.body(each)) for each in requests]
        server_state.wait_queued(held.server, 20)
        refused = [clients.send(obedient.body(obedient.tasks(count))).result() for count in (1, 5, 1)]
        held.gate.open()

        for reply in refused:
            assert reply.status_code == 503
            assert int(reply.headers["Retry-After"]) > 0
            assert "max-queued-tasks" in reply.json()["error"] or "max_queued_tasks" in reply.json()["error"]
        assert obedient.all_answered(replies, requests)
        assert clients.is_served(obedient.tasks(3))
    assert len(held.later()) == 23, "what was refused was not computed"


# --- clients that leave --------------------------------------------------------------------------------------


def test_what_has_not_begun_when_its_client_leaves_is_never_computed_and_others_are(
    start_server: StartServer, tmp_path: Path
) -> None:
    held = Held(start_server, tmp_path)
    leavers, stayers = [obedient.tasks(3) for _ in range(5)], [obedient.tasks(2) for _ in range(5)]
    with predict_clients.crowd(held.server) as clients:
        held.hold(clients)
        replies = []
        for count, (leaver, stayer) in enumerate(zip(leavers, stayers, strict=True), start=1):
            with predict_clients.leaving(held.server, obedient.body(leaver)) as leave:
                server_state.wait_queued(held.server, 2 * (count - 1) + 3)
                leave()
            replies.append(clients.send(obedient.body(stayer)))
            server_state.wait_queued(held.server, 2 * count)
        held.gate.open()

        assert obedient.all_answered(replies, stayers)
    gone = {obedient.token(task) for each in leavers for task in each}
    assert not gone & set(held.calls.tokens)


def test_a_client_that_leaves_during_a_call_harms_nobody_who_shares_it(
    start_server: StartServer, tmp_path: Path
) -> None:
    held = Held(start_server, tmp_path)
    second = Gate(tmp_path / "second")
    stayer = obedient.tasks(2)
    with predict_clients.crowd(held.server) as clients:
        held.hold(clients)
        reply = clients.send(obedient.body(stayer))
        server_state.wait_queued(held.server, 2)
        with predict_clients.leaving(held.server, obedient.body([second.task()])) as leave:
            server_state.wait_queued(held.server, 3)
            held.gate.open()
            second.wait_entered()
            leave()
        second.open()

        assert obedient.answered(reply.result()) == obedient.expected(stayer)
        assert len(held.later()) == 1
        assert clients.is_served(obedient.tasks(1))


def test_of_a_large_request_whose_client_leaves_the_rest_is_not_computed(
    start_server: StartServer, tmp_path: Path
) -> None:
    held = Held(start_server, tmp_path, "--max-batch-size", "10")
    second = Gate(tmp_path / "second")
    with predict_clients.crowd(held.server) as clients:
        with predict_clients.leaving(held.server, obedient.body([second.task(), *obedient.tasks(499)])) as leave:
            second.wait_entered()
            server_state.wait_queued(held.server, 490)
            leave()
        server_state.wait_queued(held.server, 0)
        second.open()

        assert clients.is_served(obedient.tasks(1))
    assert len(held.calls.tokens) <= 10 + 1


# --- equal requests ------------------------------------------------------------------------------------------


def test_equal_requests_in_flight_are_computed_once(start_server: StartServer, tmp_path: Path) -> None:
    held = Held(start_server, tmp_path)
    other, second = obedient.tasks(2), Gate(tmp_path / "second")
    running = [second.task()]
    with predict_clients.crowd(held.server, 24) as clients:
        held.hold(clients)
        waiting = [clients.send(obedient.body(other)) for _ in range(5)]
        server_state.wait_queued(held.server, 2)
        held.gate.open()
        assert {tuple(obedient.answered(reply.result())) for reply in waiting} == {tuple(obedient.expected(other))}

        first = clients.send(obedient.body(running))
        second.wait_entered()
        joined = [clients.send(obedient.body(running)) for _ in range(5)]
        with predict_clients.leaving(held.server, obedient.body(running)) as leave:
            server_state.health(held.server)
            leave()
        wait_until(lambda: server_state.health(held.server)["queued_tasks"] == 0, 30, "nothing to be queued")
        second.open()
        for reply in [first, *joined]:
            assert obedient.answered(reply.result()) == obedient.expected(running)

        again = clients.send(obedient.body(running)).result()
        assert obedient.answered(again) == obedient.expected(running)
    counted = held.calls.tokens
    assert [counted.count(obedient.token(task)) for task in other] == [1, 1]
    assert counted.count(obedient.token(running[0])) == 2, "once for all in flight, and anew when asked afterwards"


def test_whoever_asks_first_may_leave_and_those_who_ask_the_same_are_answered(
    start_server: StartServer, tmp_path: Path
) -> None:
    held = Held(start_server, tmp_path)
    wanted = obedient.tasks(2)
    with predict_clients.crowd(held.server) as clients:
        held.hold(clients)
        with predict_clients.leaving(held.server, obedient.body(wanted)) as leave:
            server_state.wait_queued(held.server, 2)
            reply = clients.send(obedient.body(wanted))
            for _ in range(3):
                server_state.health(held.server)
            leave()
            for _ in range(3):
                server_state.health(held.server)
        held.gate.open()

        assert obedient.answered(reply.result()) == obedient.expected(wanted)
    assert held.calls.tokens.count(obedient.token(wanted[0])) == 1


def test_equal_requests_of_different_projects_are_different(start_server: StartServer, tmp_path: Path) -> None:
    held = Held(start_server, tmp_path)
    wanted = obedient.tasks(1)
    with predict_clients.crowd(held.server) as clients:
        held.hold(clients)
        replies = [clients.send(obedient.body(wanted, project)) for project in "78"]
        server_state.wait_queued(held.server, 2)
        held.gate.open()

        assert [obedient.answered(reply.result()) for reply in replies] == [obedient.expected(wanted)] * 2
    assert held.calls.tokens.count(obedient.token(wanted[0])) == 2


# --- results that come one by one, and deadlines -------------------------------------------------------------


@pytest.mark.parametrize("form", ["Streaming", "ConcurrentStreaming"])
def test_what_a_generator_has_ready_at_the_deadline_arrives_and_the_rest_is_computed_once(
    start_server: StartServer, tmp_path: Path, form: str
) -> None:
    calls, gate = Calls(tmp_path / "calls"), Gate(tmp_path / "gate")
    server = start_server(obedient.source(form), "--predict-deadline", "2s", CALLS=str(calls.path))
    held = gate.task()
    everybody = [*obedient.tasks(4), held, *obedient.tasks(3)]
    with predict_clients.crowd(server) as clients:
        wait_until(lambda: clients.is_served(obedient.tasks(1)), 60, "the model to be loaded")
        partly = clients.send(obedient.body(everybody)).result()
        assert obedient.answered(partly) == obedient.expected(everybody, everybody[4:])
        again = clients.send(obedient.body(everybody[4:]))
        gate.open()

        assert obedient.answered(again.result()) == obedient.expected(everybody[4:])
    assert [calls.tokens.count(obedient.token(task)) for task in everybody] == [1] * 8
    assert not server_state.problems(server), "late is not wrong"


def test_what_is_late_is_kept_for_whoever_asks_again(start_server: StartServer, tmp_path: Path) -> None:
    calls, gate = Calls(tmp_path / "calls"), Gate(tmp_path / "gate")
    server = start_server(obedient.source(), "--predict-deadline", "1s", CALLS=str(calls.path))
    late = [gate.task(), *obedient.tasks(1)]
    with predict_clients.crowd(server) as clients:
        assert obedient.answered(clients.send(obedient.body(late)).result()) == [None, None]
        gate.open()

        # No Label Studio is known here to write it to, so it is kept.
        wait_until(
            lambda: obedient.answered(clients.send(obedient.body(late)).result()) == obedient.expected(late),
            30,
            "the late predictions",
        )
    assert [calls.tokens.count(obedient.token(task)) for task in late] == [1, 1]


def test_a_generator_that_raises_half_way_costs_one_task(start_server: StartServer) -> None:
    server = start_server(obedient.source("Streaming"))
    poison = obedient.task("complain")
    everybody = [*obedient.tasks(4), poison, *obedient.tasks(4)]
    with predict_clients.crowd(server) as clients:
        assert clients.ask(everybody) == obedient.expected(everybody, [poison])
    assert server_state.problems(server) == {str(poison["id"]): "raised"}
