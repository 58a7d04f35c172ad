"""How the server ends: politely, at once, and by force."""

from __future__ import annotations

import signal
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from scripts.processes import wait_until
from tests.support.paths import BACKENDS
from tests.support.servers import ServerProcess, StartServer


def predict_until_opened(server: ServerProcess, gate: Path, pool: ThreadPoolExecutor) -> Future[httpx.Response]:
    """Send a prediction that lasts until the file `gate` exists, and return once the model works on it."""

    def predict() -> httpx.Response:
        with server.client() as client:
            return client.post("/predict", json={"tasks": [{"id": 1, "data": {"gate": str(gate)}}]})

    reply = pool.submit(predict)
    wait_until(Path(f"{gate}.entered").exists, 30, "the model to begin with the prediction")
    return reply


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_request_in_flight_is_finished_before_the_server_stops(
    start_server: StartServer, tmp_path: Path, number: signal.Signals
) -> None:
    server = start_server(BACKENDS / "gated.py")
    with ThreadPoolExecutor() as pool:
        reply = predict_until_opened(server, tmp_path / "gate", pool)

        server.signal(number)
        wait_until(lambda: not server.is_answering(), 10, "the server to stop listening")
        assert server.exit_code is None
        (tmp_path / "gate").touch()

        assert reply.result(timeout=30).status_code == 200
    assert server.wait(timeout=30) == 0
    wait_until(lambda: not server.family(), 10, "every process of the server to be gone")


def test_an_idle_server_stops_without_a_word_of_complaint(start_server: StartServer) -> None:
    server = start_server(BACKENDS / "echo.py")

    assert server.stop() == 0
    assert "Traceback" not in server.log
    assert "ERROR" not in server.log


def test_a_second_signal_stops_at_once(start_server: StartServer, tmp_path: Path) -> None:
    server = start_server(BACKENDS / "gated.py")
    with ThreadPoolExecutor() as pool:
        reply = predict_until_opened(server, tmp_path / "never-opened", pool)
        server.signal(signal.SIGTERM)
        wait_until(lambda: not server.is_answering(), 10, "the server to stop listening")

        server.signal(signal.SIGTERM)

        server.wait(timeout=5)
        wait_until(lambda: not server.family(), 5, "every process of the server to be gone")
        # Whoever was waiting learns of it: the connection breaks or an error arrives, nothing hangs.
        assert reply.exception(timeout=5) or reply.result().is_error


def test_no_process_survives_the_server_being_killed(start_server: StartServer, tmp_path: Path) -> None:
    server = start_server(BACKENDS / "gated.py")
    with ThreadPoolExecutor() as pool:
        reply = predict_until_opened(server, tmp_path / "never-opened", pool)
        assert server.children()

        server.signal(signal.SIGKILL)

        wait_until(lambda: not server.family(), 15, "every process of the server to be gone")
        assert reply.exception(timeout=5)
