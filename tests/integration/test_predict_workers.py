"""Worker processes come and go, are killed, outgrow their limits, sleep and wake up; no request notices."""

from __future__ import annotations

import os
import random
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from scripts.processes import wait_until
from tests.support import obedient, predict_clients, request_bodies, server_state
from tests.support.servers import ServerProcess, StartServer

SEED = int(os.environ.get("LABEL_STUDIO_ML_FAULT_SEED", "20240229"))
ALONE = ("--max-batch-size", "1")
"""Every task is a call of its own, so that tests can fill workers task by task."""


def gates(folder: Path, count: int) -> list[obedient.Gate]:
    return [obedient.Gate(folder / f"gate {number}") for number in range(count)]


def pids_of(clients: predict_clients.Crowd, held: list[obedient.Gate]) -> list[int]:
    """The processes that work on as many tasks at once as there are gates."""
    replies = [clients.send(obedient.body([gate.task()])) for gate in held]
    for gate in held:
        gate.wait_entered()
    for gate in held:
        gate.open()
    return [pid for reply in replies for pid in obedient.of(reply.result(), "pid")]


def ask_until(clients: predict_clients.Crowd, enough: Callable[[], bool], what: str, at_once: int = 16) -> set[int]:
    """Send healthy requests, some at once, until there is enough; all must be answered. Gives the workers' pids."""
    seen: set[int] = set()

    def asked() -> bool:
        requests = [obedient.tasks(2) for _ in range(at_once)]
        replies = clients.send_all(obedient.body(each) for each in requests)
        assert [obedient.answered(reply) for reply in replies] == [obedient.expected(each) for each in requests]
        seen.update(pid for reply in replies for pid in obedient.of(reply, "pid"))
        return enough()

    wait_until(asked, 60, what)
    return seen


# --- how many there are --------------------------------------------------------------------------------------


def test_as_many_workers_predict_at_once_as_were_asked_for(start_server: StartServer, tmp_path: Path) -> None:
    server = start_server(obedient.source(), "--workers", "3", *ALONE)
    with predict_clients.crowd(server) as clients:
        wait_until(lambda: len(server_state.workers(server)) == 3, 30, "three workers")

        assert sorted(pids_of(clients, gates(tmp_path, 3))) == server_state.workers(server)


def test_threads_of_one_worker_predict_at_once_each_with_its_own_instance(
    start_server: StartServer, tmp_path: Path
) -> None:
    server = start_server(obedient.source(), "--threads", "3", *ALONE)
    held, extra = gates(tmp_path, 3), obedient.Gate(tmp_path / "extra")
    with predict_clients.crowd(server) as clients:
        replies = [clients.send(obedient.body([gate.task()])) for gate in held]
        for gate in held:
            gate.wait_entered()
        replies.append(clients.send(obedient.body([extra.task()])))
        server_state.wait_queued(server, 1)
        assert not extra.entered, "a fourth call has to wait"
        for gate in [*held, extra]:
            gate.open()

        assert len({pid for reply in replies for pid in obedient.of(reply.result(), "pid")}) == 1
        assert [obedient.of(reply.result(), "calls") for reply in replies[:3]] == [[1], [1], [1]]


def test_coroutines_predict_at_once_up_to_the_limit(start_server: StartServer, tmp_path: Path) -> None:
    server = start_server(obedient.source("Concurrent"), "--max-concurrent", "5", *ALONE)
    held, extra = gates(tmp_path, 5), obedient.Gate(tmp_path / "extra")
    with predict_clients.crowd(server) as clients:
        replies = [clients.send(obedient.body([gate.task()])) for gate in held]
        for gate in held:
            gate.wait_entered()
        replies.append(clients.send(obedient.body([extra.task()])))
        server_state.wait_queued(server, 1)
        assert not extra.entered
        held[0].open()
        extra.wait_entered()
        for gate in [*held, extra]:
            gate.open()

        assert all(None not in obedient.answered(reply.result()) for reply in replies)


def test_workers_share_the_devices_in_turn_and_their_replacements_inherit_them(
    start_server: StartServer, tmp_path: Path
) -> None:
    server = start_server(obedient.source(), "--devices", "3,5", "--workers", "4", *ALONE)

    def devices(name: str) -> dict[int, str]:
        (tmp_path / name).mkdir()
        held = gates(tmp_path / name, 4)
        replies = [clients.send(obedient.body([gate.task()])) for gate in held]
        for gate in held:
            gate.wait_entered()
        for gate in held:
            gate.open()
        return {obedient.of(one.result(), "pid")[0]: obedient.of(one.result(), "device")[0] for one in replies}

    with predict_clients.crowd(server) as clients:
        before = devices("before")
        assert sorted(before.values()) == ["3", "3", "5", "5"]
        victim = next(pid for pid, device in before.items() if device == "5")

        os.kill(victim, signal.SIGKILL)

        after = devices("after")
        assert sorted(after.values()) == ["3", "3", "5", "5"]
        assert len(set(before) & set(after)) == 3


def test_there_is_at_least_one_worker_for_each_device(start_server: StartServer) -> None:
    server = start_server(obedient.source(), "--devices", "0,1,2")

    wait_until(lambda: len(server_state.workers(server)) == 3, 30, "three workers")


# --- killed --------------------------------------------------------------------------------------------------


def test_no_request_fails_while_one_of_four_workers_is_killed_again_and_again(start_server: StartServer) -> None:
    server = start_server(obedient.source(), "--workers", "4")
    chance = random.Random(SEED)
    stop = threading.Event()
    with predict_clients.crowd(server, 12) as clients, ThreadPoolExecutor(1) as pool:
        assert clients.is_served(obedient.tasks(1))
        wait_until(lambda: len(server_state.workers(server)) == 4, 30, "four workers")
        first = set(server_state.workers(server))
        load = pool.submit(ask_until, clients, stop.is_set, "the killing to be over")
        killed = set()
        for _ in range(6):
            victim = chance.choice(server_state.workers(server))
            os.kill(victim, signal.SIGKILL)
            killed.add(victim)
            # On when there are four again: whoever loses one worker after the other is not tried for ever.
            wait_until(lambda: len(set(server_state.workers(server)) - killed) == 4, 30, "a replacement")
        stop.set()
        seen = load.result(timeout=60)
        wait_until(
            lambda: bool((seen | ask_until(clients, lambda: True, "answers")) - first),
            30,
            "a replacement to predict",
        )

    assert not server_state.problems(server)
    assert server_state.health(server)["model"]["state"] == "ready"


def test_a_worker_that_is_killed_while_it_loads_is_replaced_and_no_request_notices(
    start_server: StartServer,
) -> None:
    server = start_server(obedient.source())
    with predict_clients.crowd(server, 4) as clients:
        assert clients.is_served(obedient.tasks(1))
        (first,) = server_state.workers(server)
        os.kill(first, signal.SIGKILL)
        wait_until(lambda: set(server_state.workers(server)) - {first}, 30, "another worker")
        for pid in server_state.workers(server):
            os.kill(pid, signal.SIGKILL)

        ask_until(
            clients, lambda: server_state.health(server)["model"]["state"] == "ready", "the model to be ready", 4
        )
    assert not server_state.problems(server)


# --- grown too old or too large ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options", [["--workers", "1"], ["--workers", "2"], ["--threads", "3"]], ids=["one", "two workers", "threads"]
)
def test_workers_are_replaced_after_so_many_requests_and_no_request_notices(
    start_server: StartServer, options: list[str]
) -> None:
    server = start_server(obedient.source(), "--max-requests-per-worker", "40", *options)
    seen: set[int] = set()
    with predict_clients.crowd(server) as clients:
        while len(seen) < 5:
            seen |= ask_until(clients, lambda: True, "answers")

    count = 2 if "--workers" in options and "2" in options else 1
    wait_until(lambda: len(server_state.workers(server)) == count, 30, "the replaced workers to be gone")
    assert not server_state.problems(server)


def test_a_worker_that_is_replaced_finishes_what_it_has(start_server: StartServer, tmp_path: Path) -> None:
    server = start_server(obedient.source(), "--max-requests-per-worker", "1", "--threads", "2", *ALONE)
    gate = obedient.Gate(tmp_path / "gate")
    with predict_clients.crowd(server) as clients:
        slow = clients.send(obedient.body([held := gate.task()]))
        gate.wait_entered()
        old = server_state.workers(server)
        ask_until(clients, lambda: bool(set(server_state.workers(server)) - set(old)), "another worker", 1)
        gate.open()

        assert obedient.answered(slow.result()) == obedient.expected([held])
        assert obedient.of(slow.result(), "pid")[0] in old
    wait_until(lambda: not set(server_state.workers(server)) & set(old), 30, "the old worker to be gone")


@pytest.mark.parametrize("options", [["--workers", "1"], ["--threads", "3"]], ids=["one", "threads"])
def test_workers_that_leak_are_replaced_before_the_machine_is_full_and_no_request_notices(
    start_server: StartServer, options: list[str]
) -> None:
    server = start_server(obedient.source(), "--max-worker-memory", "300M", *options)
    seen: set[int] = set()
    highest = 0.0
    with predict_clients.crowd(server, 8) as clients:

        def leaked_enough() -> bool:
            nonlocal highest
            # A worker that is too large already leaks no more: how soon its successor is there is not the question.
            order = "leak" if max(server_state.resident(server.children()).values()) < 310 else ""
            requests = [[obedient.task(order, megabytes=5), *obedient.tasks(2)] for _ in range(8)]
            replies = clients.send_all(obedient.body(each) for each in requests)
            assert [obedient.answered(reply) for reply in replies] == [obedient.expected(each) for each in requests]
            seen.update(pid for reply in replies for pid in obedient.of(reply, "pid"))
            highest = max(highest, *server_state.resident(server.children()).values())
            return len(seen) >= 4

        wait_until(leaked_enough, 60, "four workers to have predicted")

    assert 300 < highest < 400
    wait_until(lambda: len(server_state.workers(server)) == 1, 30, "the replaced workers to be gone")


# --- asleep --------------------------------------------------------------------------------------------------


def is_asleep(server: ServerProcess) -> bool:
    return bool(server_state.health(server)["model"]["state"] == "unloaded") and not server_state.workers(server)


def test_idle_workers_end_and_the_next_prediction_brings_them_back(start_server: StartServer) -> None:
    server = start_server(obedient.source(), "--unload-after", "1s", "--workers", "2")
    with predict_clients.crowd(server) as clients:
        for _ in range(2):
            ask_until(clients, lambda: True, "answers")
            assert server_state.health(server)["model"]["state"] == "ready"
            wait_until(lambda: is_asleep(server), 30, "the workers to be gone")
        ask_until(clients, lambda: True, "answers")

    assert not server_state.problems(server)
    assert "ERROR" not in server.log


def test_a_prediction_that_lasts_keeps_its_worker_awake(start_server: StartServer, tmp_path: Path) -> None:
    server = start_server(obedient.source(), "--unload-after", "1s", "--workers", "2", *ALONE)
    gate = obedient.Gate(tmp_path / "gate")
    with predict_clients.crowd(server) as clients:
        reply = clients.send(obedient.body([held := gate.task()]))
        gate.wait_entered()
        threading.Event().wait(2.5)  # what is tested is what does not happen meanwhile
        gate.open()

        assert obedient.answered(reply.result()) == obedient.expected([held])
        assert not server_state.problems(server)
    wait_until(lambda: is_asleep(server), 30, "the workers to be gone")


def test_label_studio_connects_and_trains_while_the_model_sleeps(start_server: StartServer) -> None:
    server = start_server(
        obedient.source(), "--unload-after", "1s", "--trainer-idle", "1s", "--train-debounce", "0s"
    )
    with predict_clients.crowd(server) as clients, server.client() as client:

        def announced() -> str:
            version: str = client.post("/setup", json=request_bodies.setup()).json()["model_version"]
            return version

        ask_until(clients, lambda: True, "answers")
        wait_until(lambda: is_asleep(server), 30, "the worker to be gone")

        assert client.post("/setup", json=request_bodies.setup()).status_code == 200
        wait_until(lambda: is_asleep(server), 30, "the worker to be gone again")
        before = announced()
        assert client.post("/webhook", json=request_bodies.annotated(1)).status_code == 201

        wait_until(lambda: announced() != before, 60, "the new version to be announced")
        ask_until(clients, lambda: True, "answers")


def test_a_sleeping_server_stops_without_a_word_of_complaint(start_server: StartServer) -> None:
    server = start_server(obedient.source(), "--unload-after", "1s")
    wait_until(lambda: is_asleep(server), 30, "the worker to be gone")

    assert server.stop() == 0
    assert "Traceback" not in server.log
    assert "ERROR" not in server.log
