"""How long a server takes from its command to its first healthy answer and prediction, and what it weighs.

    python -m benchmarks.startup [--rounds 5]

Prints medians and the spread of several starts of the dummy model, beside a Python that starts and does nothing.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx

from .processes import children, free_port, resident

MODEL = Path(__file__).parents[1] / "label_studio_ml" / "examples" / "dummy_model" / "dummy_model.py"
CONFIG = (
    '<View><Text name="text" value="$text"/><Choices name="c" toName="text">'
    '<Choice value="a"/><Choice value="b"/></Choices></View>'
)


def one_round(folder: Path) -> dict[str, float]:
    """Start a server, wait for its answers, weigh its processes, and stop it."""
    port = free_port()
    command = [sys.executable, "-m", "label_studio_ml.server", "start", str(MODEL), "--port", str(port)]
    environment = {**os.environ, "MODEL_DIR": str(folder)}
    found: dict[str, float] = {}
    started = time.perf_counter()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            _until_healthy(client)
            found["first healthy answer, s"] = time.perf_counter() - started
            body = {"project": "1.0", "label_config": CONFIG, "tasks": [{"id": 1, "data": {"text": "x"}}]}
            client.post("/predict", json=body).raise_for_status()
            found["first prediction, s"] = time.perf_counter() - started
            found["web process, MB"] = resident(process.pid)
            found["predict worker, MB"] = sum(resident(pid) for pid in children(process.pid))
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
    return found


def bare_python() -> float:
    """Seconds a Python takes to start and end."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", ""], check=True)
    return time.perf_counter() - started


def main() -> None:
    """Run the rounds and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="starts to measure (default 5)")
    rounds = parser.parse_args().rounds
    measured: dict[str, list[float]] = {}
    for number in range(rounds):
        folder = Path(tempfile.mkdtemp(prefix="startup-"))
        try:
            for state in ("new store", "known store"):
                for name, value in one_round(folder).items():
                    measured.setdefault(f"{name} ({state})", []).append(value)
        finally:
            shutil.rmtree(folder)
        measured.setdefault("a Python that does nothing, s", []).append(bare_python())
        print(f"round {number + 1} of {rounds} done", file=sys.stderr)
    print(f"{'':45} {'median':>8} {'lowest':>8} {'highest':>8}")
    for name, values in measured.items():
        print(f"{name:45} {statistics.median(values):8.2f} {min(values):8.2f} {max(values):8.2f}")


def _until_healthy(client: httpx.Client) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            if client.get("/health").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.01)
    raise TimeoutError("no healthy answer within 30 s")


if __name__ == "__main__":
    main()
