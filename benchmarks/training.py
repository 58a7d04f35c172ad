"""What training costs: the reply to an event, predictions meanwhile, memory, and the way to the new version.

    python -m benchmarks.training [--seconds 5] [--tasks 100000]

- Events: an open-loop sender (50, 200, 500 a second; latency counted from when each was due) while fit() keeps each
  core busy; each event is committed with fsync before its reply. Generation 1, so that they join one waiting job.
  The first two seconds are not counted.
- Predictions of one task and `/health`, one after another, idle and while fit() keeps every core busy.
- Memory: the peak of the trainer that got its annotated tasks from Label Studio's `GET /api/tasks`, played by a
  server in this process, 100 a page; beside it the peak with 100 tasks.
- The way to a new version: from the end of fit() to the first prediction that names it.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx

from .processes import free_port

MODEL = Path(__file__).with_name("_learner.py")
RATES = (50, 200, 500)
CONNECTIONS = 16
SWAPS = 5
CONFIG = (
    '<View><Text name="text" value="$text"/><Choices name="c" toName="text">'
    '<Choice value="a"/><Choice value="b"/></Choices></View>'
)
PREDICT = {"project": "1", "label_config": CONFIG, "tasks": [{"id": 1, "data": {"text": "x"}}]}
START = {"action": "START_TRAINING", "project": {"id": 1, "label_config": CONFIG}}


def task(number: int) -> dict[str, Any]:
    """An annotated task in JSON export form, 1.2 kB."""
    result = [{"from_name": "c", "to_name": "text", "type": "choices", "value": {"choices": ["a"]}, "id": "x"}]
    annotation = {"id": number, "task": number, "result": result, "was_cancelled": False, "lead_time": 3.2}
    return {"id": number, "data": {"text": f"text {number} " + "word " * 180}, "annotations": [annotation]}


def event(number: int) -> dict[str, Any]:
    """An ANNOTATION_CREATED event, 4 kB as Label Studio's are."""
    whole = task(number)
    annotation = whole.pop("annotations")[0]
    project = {"id": 1, "label_config": CONFIG, "description": "word " * 500}
    return {"action": "ANNOTATION_CREATED", "task": whole, "annotation": annotation, "project": project}


class Backend:
    """A server with the model, and the file that makes its fit() burn."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.burn = folder / "burn"
        self.port = free_port()
        options = ["--port", str(self.port), "--model-dir", str(folder / "model-data"), "--train-debounce", "0s"]
        self._log = (folder / "server.log").open("ab")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "label_studio_ml.server", "start", str(MODEL), *options],
            env={**os.environ, "BURN": str(self.burn), **environment},
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=120, trust_env=False)

    def ready(self) -> None:
        """Wait until the model predicts."""

        def predicts() -> bool:
            with contextlib.suppress(httpx.TransportError):
                return self.client.post("/predict", json=PREDICT).status_code == 200
            return False

        _wait(predicts, "the model to predict")

    def train(self, during: Callable[[], None] | None = None) -> dict[str, Any]:
        """Train once, burning while `during` runs; returns the job."""
        if during is not None:
            self.burn.touch()
            begun = self.burn.with_suffix(".begun")
            begun.unlink(missing_ok=True)
        job = self.client.post("/webhook", json=START).json()["job"]
        if during is not None:
            _wait(begun.exists, "fit() to burn")
            try:
                during()
            finally:
                self.burn.unlink()
        found: dict[str, Any] = {}

        def over() -> bool:
            found.update(self.client.get(f"/jobs/{job}").json())
            return found["state"] not in {"queued", "started"}

        _wait(over, "the job to be over")
        if found["state"] != "finished":
            raise RuntimeError(f"the job is {found['state']}: {found['error']}")
        return found

    def close(self) -> None:
        """End it."""
        self.client.close()
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(60)
        self._log.close()


@contextlib.contextmanager
def backend(**environment: str) -> Iterator[Backend]:
    """A server with a store of its own."""
    folder = Path(tempfile.mkdtemp(prefix="training-"))
    server = Backend(folder, **environment)
    try:
        server.ready()
        yield server
    finally:
        server.close()
        shutil.rmtree(folder)


# --- events ------------------------------------------------------------------------------------------------


def events(seconds: float) -> None:
    """Print how long the replies to events take."""
    with backend() as server:
        measured: dict[int, list[float]] = {}

        def send() -> None:
            asyncio.run(_open_loop(server.port, RATES[0], 2.0))  # not counted: statements are compiled, files grow
            for rate in RATES:
                measured[rate] = asyncio.run(_open_loop(server.port, rate, seconds))

        server.train(send)
        for rate, values in measured.items():
            _print(f"event, {rate}/s while fit() burns", values)


async def _open_loop(port: int, rate: int, seconds: float) -> list[float]:
    """Send events when they are due, whether or not earlier ones were answered; seconds from due to answered."""
    idle: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
    for _ in range(CONNECTIONS):
        idle.put_nowait(await asyncio.open_connection("127.0.0.1", port))
    count = int(rate * seconds)
    bodies = [_http(event(rate * 10**6 + number)) for number in range(count)]
    began = time.perf_counter() + 0.1

    async def one(number: int) -> float:
        due = began + number / rate
        await asyncio.sleep(due - time.perf_counter())
        reader, writer = await idle.get()
        writer.write(bodies[number])
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        body = await reader.readexactly(length)
        took = time.perf_counter() - due
        if not head.startswith(b"HTTP/1.1 201"):
            raise RuntimeError(f"an event was refused: {body.decode()}")
        idle.put_nowait((reader, writer))
        return took

    taken = await asyncio.gather(*(one(number) for number in range(count)))
    while not idle.empty():
        idle.get_nowait()[1].close()
    return taken


def _http(message: dict[str, Any]) -> bytes:
    body = json.dumps(message).encode()
    headers = f"Host: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    head = f"POST /webhook HTTP/1.1\r\n{headers}"
    return head.encode() + body


# --- predictions -------------------------------------------------------------------------------------------


def predictions(seconds: float) -> None:
    """Print how long predictions and `/health` take, idle and meanwhile."""
    with backend() as server:

        def measure(when: str) -> None:
            for name, call in (
                ("predict, 1 task", lambda: server.client.post("/predict", json=PREDICT)),
                ("/health", lambda: server.client.get("/health")),
            ):
                _print(f"{name}, {when}", _one_after_another(call, seconds))

        measure("idle")
        server.train(lambda: measure("while fit() burns"))


def _one_after_another(call: Callable[[], httpx.Response], seconds: float) -> list[float]:
    values = []
    end = time.perf_counter() + seconds
    while (started := time.perf_counter()) < end:
        call().raise_for_status()
        values.append(time.perf_counter() - started)
    return values


# --- memory ------------------------------------------------------------------------------------------------


def memory(tasks: int) -> None:
    """Print the trainer's peak with few and with many tasks, fetched from a Label Studio played by this process."""
    for count in (100, tasks):
        with _label_studio(count) as url, backend(LABEL_STUDIO_URL=url, LABEL_STUDIO_API_KEY="0" * 40) as server:
            started = time.perf_counter()
            job = server.train()
            took = time.perf_counter() - started
        if job["metrics"]["annotations"] != count:
            raise RuntimeError(f"fit() got {job['metrics']['annotations']} annotations instead of {count}")
        print(
            f"{f'trainer peak, {count} tasks, MB':45} {job['metrics']['peak']:8.1f}   (the job took {took:.1f} s)"
        )


@contextlib.contextmanager
def _label_studio(count: int) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            asked = parse_qs(urlsplit(self.path).query)
            size = int(asked["page_size"][0])
            first = (int(asked["page"][0]) - 1) * size + 1
            found = [task(number) for number in range(first, min(first + size, count + 1))]
            body = json.dumps({"tasks": found, "total": count}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


# --- the new version ---------------------------------------------------------------------------------------


def swaps() -> None:
    """Print how long it takes from the end of fit() to the first prediction of its version."""
    with backend() as server:
        values = []
        server.client.post("/webhook", json=event(1)).raise_for_status()
        known = 0.0
        for number in range(SWAPS + 1):
            if number:
                server.client.post("/webhook", json=START).raise_for_status()
            deadline = time.monotonic() + 120
            while (ended := _ended(server)) <= known:
                if time.monotonic() > deadline:
                    raise TimeoutError("no new version within 120 s")
            if number:  # the first one had to start the trainer as well
                values.append(time.time() - ended)
            known = ended
        _print("end of fit() to its version's prediction", values)


def _ended(server: Backend) -> float:
    reply = server.client.post("/predict", json=PREDICT)
    reply.raise_for_status()
    ended: float = reply.json()["results"][0]["ended"]
    return ended


# ---------------------------------------------------------------------------------------------------------


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5.0, help="length of each measurement (default 5)")
    parser.add_argument("--tasks", type=int, default=100_000, help="annotated tasks to train on (default 100000)")
    options = parser.parse_args()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}", file=sys.stderr)
    print(f"{'milliseconds':45} {'median':>8} {'p99':>8} {'highest':>8} {'count':>8}")
    events(options.seconds)
    predictions(options.seconds)
    swaps()
    memory(options.tasks)


def _print(name: str, values: list[float]) -> None:
    ranked = sorted(1000 * value for value in values)
    p99 = ranked[min(len(ranked) - 1, int(len(ranked) * 0.99))]
    print(f"{name:45} {statistics.median(ranked):8.1f} {p99:8.1f} {ranked[-1]:8.1f} {len(ranked):8}", flush=True)


def _wait(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 600
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited 600 s in vain for {what}")
        time.sleep(0.02)


if __name__ == "__main__":
    main()
