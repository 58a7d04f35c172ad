"""Models that fail in every way known to us in the middle of others' requests: only guilty tasks go without."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.processes import wait_until
from tests.support import orders
from tests.support.orders import Json
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
        yield start(orders.source(), "--predict-timeout", "1s")


def predict(server: ServerProcess, *tasks: Json) -> list[str | None]:
    with orders.crowd(server, 1) as clients:
        return orders.answered(clients.send(orders.body(tasks)).result())


def among(guilty: Json, count: int, place: int) -> list[Json]:
    """Healthy tasks with a guilty one among them."""
    everybody = orders.tasks(count - 1)
    everybody.insert(place, guilty)
    return everybody


# --- one task at fault ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("order", "reasons"),
    [*((error, {"raised"}) for error in ERRORS), *REASONS.items()],
)
def test_a_task_at_fault_costs_its_neighbours_nothing_and_is_named(
    server: ServerProcess, order: str, reasons: set[str]
) -> None:
    guilty = orders.task(order)
    everybody = among(guilty, 5, 2)

    assert predict(server, *everybody) == orders.expected(everybody, [guilty])

    assert orders.problems(server)[str(guilty["id"])] in reasons
    assert predict(server, *(after := orders.tasks(3))) == orders.expected(after)


@pytest.mark.parametrize("place", [0, 63], ids=["first", "last"])
def test_of_64_tasks_in_one_request_63_survive_the_one_that_ends_the_process(
    server: ServerProcess, place: int
) -> None:
    guilty = orders.task("exit")
    everybody = among(guilty, 64, place)

    assert predict(server, *everybody) == orders.expected(everybody, [guilty])

    assert orders.problems(server)[str(guilty["id"])] == "crashed"
    assert orders.health(server)["model"]["state"] == "ready", "one task says nothing about the model"


def test_two_tasks_that_end_the_process_are_both_found(server: ServerProcess) -> None:
    guilty = [orders.task("exit"), orders.task("segfault")]
    everybody = [guilty[0], *orders.tasks(3), guilty[1], *orders.tasks(3)]

    assert predict(server, *everybody) == orders.expected(everybody, guilty)


def test_a_task_that_never_ends_is_found_among_the_requests_that_shared_its_call(
    start_server: StartServer, tmp_path: Path
) -> None:
    server = start_server(orders.source(), "--predict-timeout", "3s")
    gate = orders.Gate(tmp_path / "gate")
    healthy = [orders.tasks(2) for _ in range(6)]
    guilty = orders.task("hang")
    with orders.crowd(server) as clients:
        first = clients.send(orders.body([gate.task()]))
        gate.wait_entered()
        replies = [clients.send(orders.body(each)) for each in [*healthy[:3], [guilty], *healthy[3:]]]
        orders.wait_queued(server, 13)
        gate.open()

        assert None not in orders.answered(first.result())
        got = [orders.answered(reply.result()) for reply in replies]

    assert got.pop(3) == [None]
    assert got == [orders.expected(each) for each in healthy]
    assert orders.problems(server)[str(guilty["id"])] == "timeout"


@pytest.mark.parametrize("order", ["exit", "hang", "complain"])
def test_a_click_that_fails_is_answered_with_an_error(server: ServerProcess, order: str) -> None:
    guilty = orders.task(order)
    with orders.crowd(server, 1) as clients:
        reply = clients.send(orders.body([guilty], context=orders.CLICK)).result()

    assert reply.status_code in {500, 503}
    assert reply.json()["error"]
    assert str(guilty["id"]) in orders.problems(server)


def test_what_a_model_prints_however_much_goes_to_the_log_and_holds_up_nobody_for_ever(
    start_server: StartServer,
) -> None:
    server = start_server(orders.source())
    everybody = [orders.task("chatter", megabytes=20), *orders.tasks(3)]

    assert predict(server, *everybody) == orders.expected(everybody)

    assert server.log.count("a word to the log") > 1_000_000


def test_a_model_that_closes_its_stdin_and_stdout_goes_on(start_server: StartServer) -> None:
    server = start_server(orders.source())
    everybody = [*orders.tasks(2), orders.task("close_stdin_and_stdout"), *orders.tasks(2)]

    assert predict(server, *everybody) == orders.expected(everybody)
    assert predict(server, *(more := orders.tasks(100))) == orders.expected(more)

    assert orders.health(server)["store"]["state"] == "ok"
    assert not orders.problems(server)


@pytest.mark.parametrize("form", ["Obedient", "Streaming", "Concurrent", "ConcurrentStreaming"])
def test_a_task_with_two_results_shifts_nobody_elses(start_server: StartServer, form: str) -> None:
    server = start_server(orders.source(form))
    guilty = orders.task("answer_twice")
    everybody = among(guilty, 7, 3)

    assert predict(server, *everybody) == orders.expected(everybody, [guilty])

    assert orders.problems(server) == {str(guilty["id"]): "count"}


@pytest.mark.parametrize("form", ["Obedient", "Concurrent"])
def test_a_task_that_is_left_out_shifts_nobody_elses(start_server: StartServer, form: str) -> None:
    server = start_server(orders.source(form))
    guilty = orders.task("answer_never")
    everybody = among(guilty, 7, 3)

    assert predict(server, *everybody) == orders.expected(everybody, [guilty])

    # An empty list is how models say that they have nothing to say about a single task: no problem.
    assert not orders.problems(server)


@pytest.mark.parametrize("form", ["Streaming", "ConcurrentStreaming"])
def test_what_a_generator_gave_before_it_ended_too_early_is_kept(start_server: StartServer, form: str) -> None:
    server = start_server(orders.source(form))
    everybody = among(orders.task("stop"), 9, 4)

    got = predict(server, *everybody)

    assert got[:4] == orders.expected(everybody[:4])
    assert all(token in {None, orders.token(task)} for token, task in zip(got, everybody, strict=True))
    missing = {str(task["id"]) for token, task in zip(got, everybody, strict=True) if token is None}
    assert str(everybody[4]["id"]) in missing
    assert missing - {str(everybody[4]["id"])} <= set(orders.problems(server))


@pytest.mark.parametrize("order", ["complain", "exit"])
def test_with_strict_a_failed_task_fails_its_request_and_no_other(start_server: StartServer, order: str) -> None:
    server = start_server(orders.source(), "--strict", "--predict-timeout", "1s")
    everybody = among(orders.task(order), 4, 1)
    others = [orders.tasks(4) for _ in range(6)]
    with orders.crowd(server) as clients:
        failed = clients.send(orders.body(everybody))
        replies = clients.send_all(orders.body(each) for each in others)

        assert failed.result().status_code in {500, 503}
        assert failed.result().json()["error"]
    assert [orders.answered(reply) for reply in replies] == [orders.expected(each) for each in others]


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
def test_of_hundreds_of_mixed_requests_exactly_the_guilty_tasks_go_without(
    start_server: StartServer, form: str, options: list[str], killers: list[str]
) -> None:
    server = start_server(orders.source(form), "--predict-timeout", "2s", *options)
    chance = random.Random(SEED)
    requests = [orders.tasks(chance.choice([1, 1, 1, 2, 5, 20])) for _ in range(300)]
    small = [each for each in requests if len(each) < 5]
    killing, raising = [orders.task(order) for order in killers], [orders.task(order) for order in ERRORS * 3]
    nuisances = [orders.task("chatter", megabytes=1), orders.task("start_children"), *_leaks(5)]
    for one in [*killing, *raising, *nuisances]:
        where = chance.choice(small if one in killing else requests)
        where.insert(chance.randint(0, len(where)), one)
    before = orders.resident([server.pid])[server.pid]

    with orders.crowd(server) as clients:
        replies = clients.send_all(orders.body(each, chance.choice("78")) for each in requests)

    guilty = [*killing, *raising]
    assert [orders.answered(reply) for reply in replies] == [orders.expected(each, guilty) for each in requests]
    found = orders.problems(server)
    assert set(found) == {str(one["id"]) for one in guilty}
    for one in guilty:
        assert found[str(one["id"])] in REASONS.get(one["data"]["do"], {"raised"}), one
    state = orders.health(server)
    assert (state["model"]["state"], state["queued_tasks"]) == ("ready", 0)
    assert orders.resident([server.pid])[server.pid] < before + 60
    server.signal(signal.SIGTERM)
    assert server.wait(30) == 0
    wait_until(lambda: not server.family(), 10, "the server to be gone with all that models started")


def _leaks(count: int) -> list[Json]:
    return [orders.task("leak", megabytes=2) for _ in range(count)]


# --- a model that does nothing else --------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["import", "setup", "predict"])
def test_a_model_that_always_dies_is_reported_refused_and_tried_again(
    start_server: StartServer, tmp_path: Path, place: str
) -> None:
    broken = tmp_path / "broken"
    server = start_server(orders.source(), BROKEN=str(broken), BROKEN_AT=place)
    before = orders.tasks(1)
    assert predict(server, *before) == orders.expected(before)
    broken.touch()
    for pid in orders.workers(server):
        os.kill(pid, signal.SIGKILL)

    with orders.crowd(server, 4) as clients:
        tried = clients.send_all(orders.body(orders.tasks(1)) for _ in range(8))
        for reply in tried:  # while it is not known yet that it is the model's fault, a task may be blamed
            assert reply.status_code == 503 or orders.answered(reply) == [None]
        said = orders.wait_state(server, "failed")
        assert "exit code 9" in said["error"]
        refused = clients.send(orders.body(orders.tasks(1))).result()
        assert refused.status_code == 503
        assert refused.headers["Retry-After"]
        assert refused.json()["error"]

        broken.unlink()

        after = orders.body(mended := orders.tasks(1))
        wait_until(lambda: clients.send(after).result().status_code == 200, 60, "the mended model to predict")
        assert orders.answered(clients.send(after).result()) == orders.expected(mended)
    assert orders.health(server)["model"] == {"state": "ready"}


# --- what models leave behind --------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_children_of_a_model_are_gone_when_the_server_is(start_server: StartServer, number: signal.Signals) -> None:
    server = start_server(orders.source())
    predict(server, orders.task("start_children"))
    assert len(server.children()) >= 3

    server.signal(number)

    server.wait(30)
    wait_until(lambda: not server.family(), 15, "every process of the server to be gone")


@pytest.mark.parametrize("order", ["exit", "hang_holding_the_gil"])
def test_the_end_of_a_worker_is_noticed_although_its_children_hold_its_socket(
    server: ServerProcess, order: str
) -> None:
    before = server.children()
    predict(server, orders.task("start_children"))
    started = server.children() - before
    assert len(started) >= 2
    guilty = orders.task(order)
    everybody = among(guilty, 2, 1)

    assert predict(server, *everybody) == orders.expected(everybody, [guilty])

    wait_until(lambda: not started & server.children(), 15, "the worker's children to be gone with it")
