"""Backend folders that older packages made, started in every way people start them."""

from __future__ import annotations

import gzip
import json
import shutil
import signal
import socket
import sys
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from scripts.processes import Process, free_port, wait_until
from tests.support import local_http, old_folders
from tests.support.in_process_backend import CONFIG, PROJECT, annotation
from tests.support.paths import BACKENDS
from tests.support.servers import COMMAND, clean_environment

SCRIPTS = Path(sysconfig.get_path("scripts"))

# How each way of starting begins; the folder is the working directory.
WAYS: dict[str, Callable[[str], list[str | Path]]] = {
    "label-studio-ml start": lambda port: [COMMAND, "start", ".", "--host", "127.0.0.1", "--port", port],
    "python _wsgi.py": lambda port: [sys.executable, "_wsgi.py", "--host", "127.0.0.1", "--port", port],
    "gunicorn": lambda port: [SCRIPTS / "gunicorn", "--bind", f"127.0.0.1:{port}", "_wsgi:app"],
    "gunicorn with threads": lambda port: [
        *(SCRIPTS / "gunicorn", "--bind", f"127.0.0.1:{port}"),
        *("--workers", "1", "--threads", "8", "--timeout", "0", "_wsgi:app"),
    ],
    "gunicorn with 2 workers": lambda port: [
        *(SCRIPTS / "gunicorn", "--bind", f"127.0.0.1:{port}", "--workers", "2", "_wsgi:app"),
    ],
    "gunicorn with preload": lambda port: [
        *(SCRIPTS / "gunicorn", "--preload", "--bind", f"127.0.0.1:{port}", "--workers", "2", "_wsgi:app"),
    ],
    "uvicorn": lambda port: [SCRIPTS / "uvicorn", "--host", "127.0.0.1", "--port", port, "_wsgi:app"],
}
Start = Callable[..., tuple[Process, str]]


@pytest.fixture(params=[1, 2], ids=["generation 1", "generation 2"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A folder made by a package of each generation."""
    return old_folders.make(tmp_path / "backend", request.param)


@pytest.fixture
def start(folder: Path, tmp_path: Path) -> Iterator[Start]:
    """Starts the folder in one of the `WAYS`, with environment variables, and says where it answers."""
    started: list[Process] = []

    def run(way: str, **more: str) -> tuple[Process, str]:
        port = free_port()
        environment = clean_environment({"MODEL_DIR": str(tmp_path / "state"), **more})
        server = Process(WAYS[way](str(port)), cwd=folder, env=environment, log_file=tmp_path / "server.log")
        started.append(server)
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: is_up(server, url), 60, f"{way} to answer")
        return server, url

    yield run
    for server in started:
        server.kill_family()
        print(server.log)


def is_up(server: Process, url: str) -> bool:
    if server.exit_code is not None:
        raise RuntimeError(f"it ended with {server.exit_code}:\n{server.log[-5000:]}")
    try:
        up: bool = local_http.get(f"{url}/health").json()["status"] == "UP"
    except httpx.TransportError:
        return False
    return up


def client_for(url: str) -> httpx.Client:
    return local_http.client(url, timeout=30)


def setup(client: httpx.Client) -> str:
    version: str = (
        client.post("/setup", json={"project": PROJECT, "schema": CONFIG})
        .raise_for_status()
        .json()["model_version"]
    )
    return version


def predict(client: httpx.Client) -> dict[str, Any]:
    body = {"tasks": [{"id": 1, "data": {"text": "x"}}], "project": PROJECT, "label_config": CONFIG}
    prediction: dict[str, Any] = client.post("/predict", json=body).raise_for_status().json()["results"][0]
    return prediction


def annotate(client: httpx.Client, number: int) -> None:
    body = {
        "action": "ANNOTATION_CREATED",
        "annotation": annotation(number),
        "task": {"id": number, "data": {"text": "x"}},
        "project": {"id": 7, "label_config": CONFIG},
    }
    assert client.post("/webhook", json=body).status_code in (200, 201)


def wait_for_score(url: str, score: float) -> dict[str, Any]:
    """The prediction of every process, once all is learned that was sent; each connection may reach another one."""

    def everyone() -> dict[str, Any] | None:
        predictions, announced, busy = [], set(), False
        for _ in range(6):
            with client_for(url) as client:
                predictions.append(predict(client))
                announced |= {setup(client), client.get("/versions").json()["versions"][0]}
                busy = busy or client.get("/is_training", params={"project": PROJECT}).json()["is_training"]
        settled = not busy and len(announced) == 1 and all(one == predictions[0] for one in predictions)
        return predictions[0] if settled and predictions[0]["score"] == score else None

    return wait_until(everyone, 60, f"everyone to predict with {score}")


@pytest.mark.parametrize("way", WAYS)
def test_an_old_folder_answers_learns_and_ends_in_order(way: str, start: Start, folder: Path) -> None:
    server, url = start(way)
    with client_for(url) as client:
        before = setup(client)
        assert predict(client)["score"] == 0
        for number in (1, 2, 3):
            annotate(client, number)
    prediction = wait_for_score(url, 0.03)
    with client_for(url) as client:
        assert setup(client) == prediction["model_version"] != before
        assert len(client.get("/versions").json()["versions"]) > 1

    server.signal(signal.SIGTERM)
    code = server.wait(30)
    # uvicorn, when it serves alone, hands the signal on to itself when all is done.
    assert code == (-signal.SIGTERM if way == "uvicorn" else 0)
    wait_until(lambda: not server.family(), 10, "every process to be gone")
    assert "Traceback" not in server.log
    assert "Task was destroyed" not in server.log


@pytest.mark.parametrize("way", ["python _wsgi.py", "gunicorn with 2 workers", "uvicorn"])
def test_no_process_survives_a_server_that_is_killed(way: str, start: Start) -> None:
    server, url = start(way)
    with client_for(url) as client:
        setup(client)
        predict(client)
        annotate(client, 1)
    server.signal(signal.SIGKILL)
    server.wait(10)
    wait_until(lambda: not server.family(), 30, "every process to be gone")


@pytest.mark.parametrize("way", ["label-studio-ml start", "gunicorn with 2 workers"])
def test_what_was_learned_is_known_after_a_restart_in_another_way(way: str, start: Start) -> None:
    server, url = start(way)
    with client_for(url) as client:
        setup(client)
        annotate(client, 1)
    learned = wait_for_score(url, 0.01)
    server.stop()

    _, url = start("uvicorn")
    with client_for(url) as client:
        assert setup(client) == learned["model_version"]
        assert predict(client) == learned


@pytest.mark.parametrize("way", ["label-studio-ml start", "gunicorn", "uvicorn"])
@pytest.mark.parametrize("folder", [2], indirect=True)
def test_a_training_that_a_stop_interrupts_is_done_after_the_next_start(
    way: str, start: Start, folder: Path, tmp_path: Path
) -> None:
    hold = tmp_path / "hold"
    hold.touch()
    shutil.copy(BACKENDS / "trainer_generation2.py", folder / "model.py")
    wsgi = folder / "_wsgi.py"
    wsgi.write_text(wsgi.read_text().replace("NewModel", "Witness"))
    server, url = start(way, HOLD_FIT=str(hold))
    with client_for(url) as client:
        setup(client)
        annotate(client, 1)

        def begun() -> bool:
            job = client.get("/is_training", params={"project": PROJECT}).json().get("job", {})
            return bool(job.get("job_status") == "started")

        wait_until(begun, 30, "the training to begin")

    server.signal(signal.SIGTERM)
    server.wait(30)
    wait_until(lambda: not server.family(), 10, "every process to be gone")
    assert "Traceback" not in server.log
    assert "Task was destroyed" not in server.log

    hold.unlink()
    _, url = start(way)
    wait_for_score(url, 0.01)


def test_a_class_inside_a_package_learns_under_gunicorn(tmp_path: Path) -> None:
    """Children cannot import it by its path, so it runs in the process of the web server."""
    package = tmp_path / "backend" / "mine"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "names.py").write_text('VERSION = "packed"\n')
    model = old_folders.MODELS[2].replace("import json\n", "import json\nfrom .names import VERSION\n", 1)
    (package / "model.py").write_text(model.replace('f"{self.__class__.__name__}-v0.0.1"', "VERSION"))
    (tmp_path / "backend" / "_wsgi.py").write_text(
        "from label_studio_ml.api import init_app\nfrom mine.model import NewModel\napp = init_app(NewModel)\n"
    )
    port = free_port()
    environment = clean_environment({"MODEL_DIR": str(tmp_path / "state")})
    arguments = WAYS["gunicorn"](str(port))
    server = Process(arguments, cwd=tmp_path / "backend", env=environment, log_file=tmp_path / "server.log")
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until(lambda: is_up(server, url), 60, "gunicorn to answer")
        with client_for(url) as client:
            assert setup(client) == "packed"
            annotate(client, 1)
            assert predict(client) == {"result": [], "score": 0.01, "model_version": "packed+1"}
        assert server.stop() == 0
        assert "Traceback" not in server.log
    finally:
        server.kill_family()
        print(server.log)


@pytest.mark.parametrize("way", ["label-studio-ml start", "python _wsgi.py", "gunicorn"])
def test_the_log_says_why_a_prediction_failed_whatever_the_folder_does_to_logging(
    way: str, start: Start, folder: Path
) -> None:
    model = folder / "model.py"
    text = model.read_text()
    model.write_text(text.replace('"score": ', '"score": 1 // 0 + '))
    server, url = start(way)
    with client_for(url) as client:
        setup(client)
        assert not predict(client), "its task got no prediction"
    assert "ZeroDivisionError" in server.log
    assert "model.py" in server.log
    server.stop()


def test_gunicorn_hands_on_what_was_sent(start: Start) -> None:
    _, url = start("gunicorn with threads")
    body = {"tasks": [{"id": 1, "data": {"text": "ü"}}], "project": PROJECT, "label_config": CONFIG}
    text = json.dumps(body).encode()
    with client_for(url) as client:
        setup(client)
        parts = (text[start : start + 10] for start in range(0, len(text), 10))
        packed = {"Content-Encoding": "gzip"}
        replies = [
            client.post("/predict", json=body),
            client.post("/predict", content=parts),  # in chunks, of a length that is not said before
            client.post("/predict", content=gzip.compress(text), headers=packed),
        ]
        assert [reply.json() for reply in replies] == [replies[0].json()] * 3
        assert client.get("/versions?project=7").json()["versions"] == [setup(client)]
        assert client.head("/health").status_code == 200
        assert client.get("/no/such/%C3%BC").json()["error"] == "There is no /no/such/ü here."
        assert client.post("/predict", content=b"{").status_code == 400
    address = httpx.URL(url)
    with socket.create_connection((address.host, address.port or 80), timeout=30) as caller:
        caller.sendall(b"POST /predict HTTP/1.1\r\nHost: here\r\nContent-Length: 999999999999\r\n\r\n")
        assert caller.recv(100).startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize("way", ["gunicorn", "gunicorn with threads"])
def test_a_caller_who_hangs_up_leaves_nothing_behind(way: str, start: Start) -> None:
    server, url = start(way)
    with client_for(url) as client:
        setup(client)
        for _ in range(20):
            address = httpx.URL(url)
            with socket.create_connection((address.host, address.port or 80)) as caller:
                caller.sendall(b"GET /health HTTP/1.1\r\nHost: here\r\n\r\n")
        annotate(client, 1)
    wait_for_score(url, 0.01)
    server.stop()
    assert "Task was destroyed" not in server.log
    assert "Traceback" not in server.log
