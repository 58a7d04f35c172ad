"""Models that fail in every way known to us in the middle of others' requests: only poison tasks go without."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.processes import wait_until
from tests.support import obedient, predict_clients, server_state
from tests.support.obedient import Json
from tests.support.servers import ServerProcess, StartServer, servers

SEED = int(os.environ.get("LABEL_STUDIO_ML_FAULT_SEED", "20240229"))
ERRORS = ("complain", "complain_unpicklably", "complain_unprintably")
REASONS = {
    "exit": {"crashed"},
    "segfault": {"crashed"},
    "hang": {"timeout"},
    "hang_holding_the_gil": {"timeout"},
    "interrupt": {"raised", "crashed"},
    "cancel": {"raised", "crashed"},
}
"""What may be said of tasks that do not simply raise an Exception."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with servers(tmp_path_factory.mktemp("faults")) as start:
        yield start(obedient.source(), "--predict-timeout", "1s")


def predict(server: ServerProcess, *tasks: Json) -> list[str | None]:
    with predict_clients.crowd(server, 1) as clients:
        return obedient.answered(clients.send(obedient.body(tasks)).result())


def among(poison: Json, count: int, place: int) -> list[Json]:
    """Healthy tasks with one that fails among them."""
    everybody = obedient.tasks(count - 1)
    everybody.insert(place, poison)
    return everybody


# --- one task at fault ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("order", "reasons"),
    [*((error, {"raised"}) for error in ERRORS), *REASONS.items()],
)
def test_a_task_at_fault_costs_its_neighbours_nothing_and_is_named(
    server: ServerProcess, order: str, reasons: set[str]
) -> None:
    poison = obedient.task(order)
    everybody = among(poison, 5, 2)

    assert predict(server, *everybody) == obedient.expected(everybody, [poison])

    assert server_state.problems(server)[str(poison["id"])] in reasons
    assert predict(server, *(after := obedient.tasks(3))) == obedient.expected(after)


@pytest.mark.parametrize("place", [0, 63], ids=["first", "last"])
def test_of_64_tasks_in_one_request_63_survive_the_one_that_ends_the_process(
    server: ServerProcess, place: int
) -> None:
    poison = obedient.task("exit")
    everybody = among(poison, 64, place)

    assert predict(server, *everybody) == obedient.expected(everybody, [poison])

    assert server_state.problems(server)[str(poison["id"])] == "crashed"
    assert server_state.health(server)["model"]["state"] == "ready", "one task says nothing about the model"


def test_two_tasks_that_end_the_process_are_both_found(server: ServerProcess) -> None:
    poison = [obedient.task("exit"), obedient.task("segfault")]
    everybody = [poison[0], *obedient.tasks(3), poison[1], *obedient.tasks(3)]

    assert predict(server, *everybody) == obedient.expected(everybody, poison)


def test_a_task_that_never_ends_is_found_among_the_requests_that_shared_its_call(
    start_server: StartServer, tmp_path: Path
) -> None:
    server = start_server(obedient.source(), "--predict-timeout", "3s")
    gate = obedient.Gate(tmp_path / "gate")
    healthy = [obedient.tasks(2) for _ in range(6)]
    poison = obedient.task("hang")
    with predict_clients.crowd(server) as clients:
        first = clients.send(obedient.body([gate.task()]))
        gate.wait_entered()
        replies = [clients.send(obedient.body(each)) for each in [*healthy[:3], [poison], *healthy[3:]]]
        server_state.wait_queued(server, 13)
        gate.open()

        assert None not in obedient.answered(first.result())
        got = [obedient.answered(reply.result()) for reply in replies]

    assert got.pop(3) == [None]
    assert got == [obedient.expected(each) for each in healthy]
    assert server_state.problems(server)[str(poison["id"])] == "timeout"


@pytest.mark.parametrize("order", ["exit", "hang", "complain"])
def test_a_click_that_fails_is_answered_with_an_error(server: ServerProcess, order: str) -> None:
    poison = obedient.task(order)
    with predict_clients.crowd(server, 1) as clients:
        reply = clients.send(obedient.body([poison], context=obedient.CLICK)).result()

    assert reply.status_code in {500, 503}
    assert reply.json()["error"]
    assert str(poison["id"]) in server_state.problems(server)


def test_what_a_model_prints_however_much_goes_to_the_log_and_holds_up_nobody_for_ever(
    start_server: StartServer,
) -> None:
    server = start_server(obedient.source())
    everybody = [obedient.task("chatter", megabytes=20), *obedient.tasks(3)]

    assert predict(server, *everybody) == obedient.expected(everybody)

    assert server.log.count("a word to the log") > 1_000_000


def test_a_model_that_closes_its_stdin_and_stdout_goes_on(start_server: StartServer) -> None:
    server = start_server(obedient.source())
    everybody = [*obedient.tasks(2), obedient.task("close_stdin_and_stdout"), *obedient.tasks(2)]

    assert predict(server, *everybody) == obedient.expected(everybody)
    assert predict(server, *(more := obedient.tasks(100))) == obedient.expected(more)

    assert server_state.health(server)["store"]["state"] == "ok"
    assert not server_state.problems(server)


@pytest.mark.parametrize("form", ["Obedient", "Streaming", "Concurrent", "ConcurrentStreaming"])
def test_a_task_with_two_results_shifts_nobody_elses(start_server: StartServer, form: str) -> None:
    server = start_server(obedient.source(form))
    poison = obedient.task("answer_twice")
    everybody = among(poison, 7, 3)

    assert predict(server, *everybody) == obedient.expected(everybody, [poison])

    assert server_state.problems(server) == {str(poison["id"]): "count"}


@pytest.mark.parametrize("form", ["Obedient", "Concurrent"])
def test_a_task_that_is_left_out_shifts_nobody_elses(start_server: StartServer, form: str) -> None:
    server = start_server(obedient.source(form))
    poison = obedient.task("answer_never")
    everybody = among(poison, 7, 3)

    assert predict(server, *everybody) == obedient.expected(everybody, [poison])

    # An empty list is how models say that they have nothing to say about a single task: no problem.
    assert not server_state.problems(server)


@pytest.mark.parametrize("form", ["Streaming", "ConcurrentStreaming"])
def test_what_a_generator_gave_before_it_ended_too_early_is_kept(start_server: StartServer, form: str) -> None:
    server = start_server(obedient.source(form))
    everybody = among(obedient.task("stop"), 9, 4)

    got = predict(server, *everybody)

    assert got[:4] == obedient.expected(everybody[:4])
    assert all(token in {None, obedient.token(task)} for token, task in zip(got, everybody, strict=True))
    missing = {str(task["id"]) for token, task in zip(got, everybody, strict=True) if token is None}
    assert str(everybody[4]["id"]) in missing
    assert missing - {str(everybody[4]["id"])} <= set(server_state.problems(server))


@pytest.mark.parametrize("order", ["complain", "exit"])
def test_with_strict_a_failed_task_fails_its_request_and_no_other(start_server: StartServer, order: str) -> None:
    server = start_server(obedient.source(), "--strict", "--predict-timeout", "1s")
    everybody = among(obedient.task(order), 4, 1)
    others = [obedient.tasks(4) for _ in range(6)]
    with predict_clients.crowd(server) as clients:
        failed = clients.send(obedient.body(everybody))
        replies = clients.send_all(obedient.body(each) for each in others)

        assert failed.result().status_code in {500, 503}
        assert failed.result().json()["error"]
    assert [obedient.answered(reply) for reply in replies] == [obedient.expected(each) for each in others]


# --- many at fault, in the middle of many more ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "options", "killers"),
    [
        ("Obedient", ["--workers", "2"], ["exit", "segfault", "hang", "interrupt"]),
        ("Obedient", ["--threads", "4"], ["exit"]),
        ("Streaming", ["--workers", "2"], ["segfault"]),
        ("Concurrent", [], ["interrupt"]),
        ("ConcurrentStreaming", [], ["exit"]),
    ],
    ids=["workers", "threads", "generator", "async", "async generator"],
)
def test_of_hundreds_of_mixed_requests_exactly_the_poison_tasks_go_without(
    start_server: StartServer, form: str, options: list[str], killers: list[str]
) -> None:
    server = start_server(obedient.source(form), "--predict-timeout", "2s", *options)
    chance = random.Random(SEED)
    requests = [obedient.tasks(chance.choice([1, 1, 1, 2, 5, 20])) for _ in range(300)]
    small = [each for each in requests if len(each) < 5]
    killing, raising = [obedient.task(order) for order in killers], [obedient.task(order) for order in ERRORS * 3]
    nuisances = [obedient.task("chatter", megabytes=1), obedient.task("start_children"), *_leaks(5)]
    for one in [*killing, *raising, *nuisances]:
        where = chance.choice(small if one in killing else requests)
        where.insert(chance.randint(0, len(where)), one)
    before = server_state.resident([server.pid])[server.pid]

    with predict_clients.crowd(server) as clients:
        replies = clients.send_all(obedient.body(each, chance.choice("78")) for each in requests)

    poison = [*killing, *raising]
    assert [obedient.answered(reply) for reply in replies] == [obedient.expected(each, poison) for each in requests]
    found = server_state.problems(server)
    assert set(found) == {str(one["id"]) for one in poison}
    for one in poison:
        assert found[str(one["id"])] in REASONS.get(one["data"]["do"], {"raised"}), one
    state = server_state.health(server)
    assert (state["model"]["state"], state["queued_tasks"]) == ("ready", 0)
    assert server_state.resident([server.pid])[server.pid] < before + 60
    server.signal(signal.SIGTERM)
    assert server.wait(30) == 0
    wait_until(lambda: not server.family(), 10, "the server to be gone with all that models started")


def _leaks(count: int) -> list[Json]:
    return [obedient.task("leak", megabytes=2) for _ in range(count)]


# --- a model that does nothing else --------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["import", "setup", "predict"])
def test_a_model_that_always_dies_is_reported_refused_and_tried_again(
    start_server: StartServer, tmp_path: Path, place: str
) -> None:
    broken = tmp_path / "broken"
    server = start_server(obedient.source(), BROKEN=str(broken), BROKEN_AT=place)
    before = obedient.tasks(1)
    assert predict(server, *before) == obedient.expected(before)
    broken.touch()
    for pid in server_state.workers(server):
        os.kill(pid, signal.SIGKILL)

    with predict_clients.crowd(server, 4) as clients:
        tried = clients.send_all(obedient.body(obedient.tasks(1)) for _ in range(8))
        for reply in tried:  # while it is not known yet that it is the model's fault, a task may be blamed
            assert reply.status_code == 503 or obedient.answered(reply) == [None]
        said = server_state.wait_state(server, "failed")
        assert "exit code 9" in said["error"]
        refused = clients.send(obedient.body(obedient.tasks(1))).result()
        assert refused.status_code == 503
        assert refused.headers["Retry-After"]
        assert refused.json()["error"]

        broken.unlink()

        after = obedient.body(mended := obedient.tasks(1))
        wait_until(lambda: clients.send(after).result().status_code == 200, 60, "the mended model to predict")
        assert obedient.answered(clients.send(after).result()) == obedient.expected(mended)
    assert server_state.health(server)["model"] == {"state": "ready"}


# --- what models leave behind --------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_children_of_a_model_are_gone_when_the_server_is(start_server: StartServer, number: signal.Signals) -> None:
    server = start_server(obedient.source())
    predict(server, obedient.task("start_children"))
    assert len(server.children()) >= 3

    server.signal(number)

    server.wait(30)
    wait_until(lambda: not server.family(), 15, "every process of the server to be gone")


@pytest.mark.parametrize("order", ["exit", "hang_holding_the_gil"])
def test_the_end_of_a_worker_is_noticed_although_its_children_hold_its_socket(
    server: ServerProcess, order: str
) -> None:
    before = server.children()
    predict(server, obedient.task("start_children"))
    started = server.children() - before
    assert len(started) >= 2
    poison = obedient.task(order)
    everybody = among(poison, 2, 1)

    assert predict(server, *everybody) == obedient.expected(everybody, [poison])

    wait_until(lambda: not started & server.children(), 15, "the worker's children to be gone with it")
