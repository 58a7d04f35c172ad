"""fit() fails, dies, hangs or leaves something useless: the old version goes on predicting, and all see why."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from scripts.processes import wait_until
from tests.support import request_bodies
from tests.support.paths import BACKENDS
from tests.support.servers import ServerProcess, StartServer
from tests.support.store_snapshot import Store

MOODY = BACKENDS / "moody.py"


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """A line for each run of fit()."""
    return tmp_path / "ledger"


def train(client: httpx.Client, text: str) -> str:
    """Post an event and return the id of its job."""
    wait_until(lambda: client.get("/health").json()["model"]["state"] == "ready", 60, "the model to be ready")
    job: str = client.post("/webhook", json=request_bodies.annotated(1, text=text)).json()["job"]
    return job


def ended(client: httpx.Client, job: str, timeout: float = 90) -> dict[str, Any]:
    """The job, once it is over."""

    def over() -> dict[str, Any] | None:
        found: dict[str, Any] = client.get(f"/jobs/{job}").json()
        return None if found["state"] in {"queued", "started"} else found

    return wait_until(over, timeout, f"job {job} to be over")


def serving(client: httpx.Client) -> str:
    """The name of the version that predicts, which `/setup` announces, too."""
    announced = client.post("/setup", json=request_bodies.setup()).json()["model_version"]
    predicted = client.post("/predict", json=request_bodies.prediction()).json()["results"][0]["model_version"]
    assert predicted == announced
    name: str = announced
    return name


def folders(server: ServerProcess) -> set[str]:
    """The jobs that have folders below `versions/`."""
    return {path.name.rpartition(".")[0] for path in server.model_dir.glob("versions/*/*")}


def test_a_fit_that_raises_is_not_tried_again(start_server: StartServer, ledger: Path) -> None:
    server = start_server(MOODY, LEDGER=str(ledger))
    with server.client() as client:
        before = serving(client)

        job = ended(client, train(client, "raise"))

        assert (job["state"], job["attempts"]) == ("failed", 1)
        assert job["error"] == "fit() failed: ValueError: the labels make no sense"
        assert "moody.py" in job["error_detail"]
        assert "the labels make no sense" in client.get(f"/jobs/{job['job']}/log").json()["text"]

        def is_told() -> bool:
            return "the labels make no sense" in json.dumps(client.get("/").json()["problems"])

        wait_until(is_told, 10, "the failure to be shown")
        assert serving(client) == before
        assert ended(client, train(client, "good"))["state"] == "finished"
    assert ledger.read_text().split() == ["raise", "good"]
    assert folders(server) == {row["job_id"] for row in Store(server.model_dir).read().of("7")}


def test_a_trainer_that_dies_gets_three_attempts(start_server: StartServer, ledger: Path) -> None:
    server = start_server(MOODY, LEDGER=str(ledger))
    with server.client() as client:
        before = serving(client)

        job = ended(client, train(client, "exit"))

        assert (job["state"], job["attempts"]) == ("failed", 3)
        assert "exit code 7" in job["error"]
        assert "3 attempts" in job["error"]
        assert serving(client) == before
        assert ended(client, train(client, "good"))["state"] == "finished"
    assert ledger.read_text().split() == ["exit"] * 3 + ["good"]
    assert folders(server) == {row["job_id"] for row in Store(server.model_dir).read().of("7")}


def test_a_fit_that_takes_too_long_is_ended_and_not_tried_again(start_server: StartServer, ledger: Path) -> None:
    server = start_server(MOODY, "--fit-timeout", "1s", LEDGER=str(ledger))
    with server.client() as client:
        job = ended(client, train(client, "hang"))

        assert (job["state"], job["attempts"]) == ("failed", 1)
        assert "--fit-timeout" in job["error"]
        wait_until(lambda: not folders(server), 10, "the folder of the failed job to be gone")
        assert len(server.children()) == 1, "the worker is there, the trainer that hung is not"


def test_a_training_that_is_cancelled_ends_and_the_next_one_runs(start_server: StartServer, ledger: Path) -> None:
    server = start_server(MOODY, LEDGER=str(ledger))
    with server.client() as client:
        hanging = train(client, "hang")
        wait_until(ledger.exists, 60, "fit() to begin")
        waiting = train(client, "good")

        client.post(f"/jobs/{hanging}/cancel").raise_for_status()

        assert ended(client, hanging)["state"] == "cancelled"
        assert ended(client, waiting)["state"] == "finished"
    assert ledger.read_text().split() == ["hang", "good"]
    assert folders(server) == {waiting}


def test_a_training_that_waits_can_be_cancelled_and_never_runs(start_server: StartServer, ledger: Path) -> None:
    server = start_server(MOODY, LEDGER=str(ledger))
    with server.client() as client:
        hanging, waiting = train(client, "hang"), train(client, "good")
        wait_until(ledger.exists, 60, "fit() to begin")

        assert client.post(f"/jobs/{waiting}/cancel").json()["state"] == "cancelled"

        client.post(f"/jobs/{hanging}/cancel").raise_for_status()
        ended(client, hanging)
        assert Store(server.model_dir).read().quiet
    assert ledger.read_text().split() == ["hang"]


def test_a_version_that_cannot_be_loaded_is_marked_failed_and_the_old_one_stays(
    start_server: StartServer, ledger: Path
) -> None:
    server = start_server(MOODY, LEDGER=str(ledger))
    store = Store(server.model_dir)
    with server.client() as client:
        ended(client, train(client, "good"))
        wait_until(lambda: store.read().quiet, 60, "the good version to be loaded")
        good = serving(client)

        ended(client, train(client, "bad"))
        wait_until(lambda: store.read().quiet, 60, "the bad version to be tried")

        assert serving(client) == good
        listed = client.get("/projects/7/versions").json()["versions"]
        assert [(row["state"], row["active"]) for row in listed] == [
            ("failed", False),
            ("ready", True),
            ("ready", False),
        ]
        assert "these weights are of no use" in listed[0]["error"]
        assert listed[0]["version"] not in client.get("/versions").json()["versions"]
        wait_until(lambda: client.get("/is_training").json()["is_training"] is False, 10, "training to be over")

        refused = client.post("/projects/7/activate", json={"version": listed[0]["version"]})
        assert refused.status_code == 503
        assert serving(client) == good
        assert [row["active"] for row in client.get("/projects/7/versions").json()["versions"]] == [
            False,
            True,
            False,
        ]
    again = start_server(MOODY, LEDGER=str(ledger))
    with again.client() as client:
        assert serving(client) == good


class LabelStudio:
    """Answers `GET /api/tasks` page by page; after `fail_from` pages it breaks every connection."""

    def __init__(self, tasks: int, page_size: int = 100) -> None:
        self.fail_from: int | None = None
        self.failures = 0
        studio = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                page = int(self.path.partition("&page=")[2].partition("&")[0] or 1)
                if studio.fail_from is not None and page >= studio.fail_from:
                    studio.failures += 1
                    self.close_connection = True
                    self.connection.close()
                    return
                first = (page - 1) * page_size + 1
                found = [
                    {"id": task, "data": {"text": "t"}, "annotations": [{"id": task, "result": []}]}
                    for task in range(first, min(first + page_size, tasks + 1))
                ]
                body = json.dumps({"tasks": found, "total": tasks}).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def label_studio() -> Iterator[LabelStudio]:
    """A Label Studio with 250 annotated tasks."""
    studio = LabelStudio(250)
    yield studio
    studio.close()


def test_a_training_waits_for_a_label_studio_that_stops_in_the_middle_of_its_data(
    start_server: StartServer, label_studio: LabelStudio, ledger: Path
) -> None:
    server = start_server(
        BACKENDS / "ledger_generation1.py",
        "--train-debounce",
        "0s",
        LEDGER=str(ledger),
        LABEL_STUDIO_URL=label_studio.url,
        LABEL_STUDIO_API_KEY="0" * 40,
    )
    store = Store(server.model_dir)

    def seen() -> Any:
        return store.value("7", store.read().active("7")["number"], "seen")

    with server.client() as client:
        ended(client, train(client, "t"))
        wait_until(lambda: seen() == list(range(1, 251)), 60, "the first training to serve")

        label_studio.fail_from = 3
        job = train(client, "t")
        waiting = wait_until(
            lambda: found if (found := client.get(f"/jobs/{job}").json())["due_at"] and found["error"] else None,
            60,
            "the job to wait",
        )
        assert waiting["state"] == "queued"
        assert "Waiting for Label Studio" in waiting["error"]
        assert waiting["attempts"] == 0
        assert client.post("/job_status", json={"job": job}).json()["job_status"] == "queued"
        assert label_studio.failures >= 2, "pages are asked for again"

        label_studio.fail_from = None
        finished = ended(client, job)
        assert (finished["state"], finished["attempts"], finished["error"]) == ("finished", 1, None)
