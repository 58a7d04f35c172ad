"""Predictions go on while versions come and go: none fails, and nobody is answered by a version of the past."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from scripts.processes import wait_until
from tests.support import request_bodies
from tests.support.paths import BACKENDS
from tests.support.servers import StartServer

CLIENTS = 3
TRAININGS = 10
ROLLBACKS = {4: 2, 8: 0}
"""After which training to go back to which version's number."""
_MOST = 20000


class Client:
    """Asks for the version and for a prediction, in turns, until told to stop; remembers every answer in order."""

    def __init__(self, connect: Callable[[], httpx.Client], stop: threading.Event) -> None:
        self._connect, self._stop = connect, stop
        self.answers: list[tuple[str, float | None]] = []
        self.predicted_by = ""
        self.failures: list[str] = []

    def run(self) -> None:
        with self._connect() as client:
            for turn in range(_MOST):
                if self._stop.wait(0.002):
                    return
                if turn % 4 == 0:
                    self._setup(client)
                else:
                    self._predict(client)

    def _setup(self, client: httpx.Client) -> None:
        reply = client.post("/setup", json=request_bodies.setup())
        if reply.is_success:
            self.answers.append((reply.json()["model_version"], None))
        else:
            self.failures.append(reply.text)

    def _predict(self, client: httpx.Client) -> None:
        reply = client.post("/predict", json=request_bodies.prediction())
        results = reply.json().get("results")
        if reply.is_success and len(results) == 1 and results[0]:
            self.predicted_by = results[0]["model_version"]
            self.answers.append((self.predicted_by, results[0]["score"]))
        else:
            self.failures.append(reply.text)


def went_back(answers: list[tuple[str, float | None]], order: list[str]) -> str | None:
    """The answer that is older than one before it, when versions served in this order; None when there is none."""
    place = 0
    for position, (name, _) in enumerate(answers):
        try:
            place = order.index(name, place)
        except ValueError:
            return f"answer {position} is of {name} after {order[place]}"
    return None


@pytest.mark.parametrize("workers", ["1", "2"])
def test_ten_trainings_and_two_rollbacks_under_load_cost_no_prediction_and_never_show_the_past(
    start_server: StartServer, workers: str
) -> None:
    server = start_server(BACKENDS / "fourfold.py", "--workers", workers)
    stop = threading.Event()
    clients = [Client(server.client, stop) for _ in range(CLIENTS)]
    with server.client() as client, ThreadPoolExecutor(CLIENTS) as pool:

        def announced() -> str:
            name: str = client.post("/setup", json=request_bodies.setup()).json()["model_version"]
            return name

        def train(number: int) -> None:
            before = announced()
            assert client.post("/webhook", json=request_bodies.annotated(number)).status_code == 201
            wait_until(lambda: announced() != before, 60, f"training {number} to be announced")
            counts[announced()] = number
            everybody_sees(announced())

        def go_back(number: int) -> None:
            reply = client.post("/projects/7/activate", json={"version": str(number)})
            assert reply.status_code == 200, reply.text
            assert announced() == reply.json()["version"]
            everybody_sees(announced())

        def everybody_sees(name: str) -> None:
            order.append(name)
            wait_until(
                lambda: all(each.predicted_by == name for each in clients), 60, f"{name} to predict for everybody"
            )

        wait_until(
            lambda: client.post("/predict", json=request_bodies.prediction()).is_success,
            60,
            "the model to be ready",
        )
        order = [announced()]
        counts = {order[0]: 0}
        loads = [pool.submit(each.run) for each in clients]
        try:
            for number in range(1, TRAININGS + 1):
                train(number)
                if number in ROLLBACKS:
                    go_back(ROLLBACKS[number])
        finally:
            stop.set()
        for load in loads:
            load.result(timeout=60)

    assert len(order) == 1 + TRAININGS + len(ROLLBACKS)
    for each in clients:
        assert not each.failures
        assert len(each.answers) < _MOST, "there was load to the end"
        assert went_back(each.answers, order) is None
        predictions = [(name, score) for name, score in each.answers if score is not None]
        assert {name for name, _ in predictions} == set(order), "every version had its time"
        assert all(score == counts[name] / 100 for name, score in predictions), "everything is the version's own"
    print(f"{sum(len(each.answers) for each in clients)} answers")


def test_an_answer_from_the_past_would_be_noticed() -> None:
    order = ["a", "b", "a", "c"]

    assert went_back([("a", None), ("b", 0.1), ("a", 0.0), ("c", 0.2)], order) is None
    assert went_back([("b", None), ("c", 0.2), ("b", 0.1)], order) == "answer 2 is of b after c"
