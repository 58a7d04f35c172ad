"""What a running server says of itself, and its processes with their roles and their memory."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from pathlib import Path

from label_studio_ml.processes import guard
from scripts.processes import wait_until
from tests.support.obedient import Json
from tests.support.servers import ServerProcess


def health(server: ServerProcess) -> Json:
    """What `/health` says, asked on a fresh connection: whatever was sent before has been read by then."""
    with server.client() as client:
        state: Json = client.get("/health").json()
        return state


def wait_queued(server: ServerProcess, count: int) -> None:
    """Wait until so many tasks wait for a worker."""
    wait_until(lambda: health(server)["queued_tasks"] == count, 30, f"{count} tasks to be queued")


def wait_state(server: ServerProcess, state: str, timeout: float = 60) -> Json:
    """Wait until the model is in a state, and give what `/health` says of it."""

    def found() -> Json | None:
        model: Json = health(server)["model"]
        return model if model["state"] == state else None

    return wait_until(found, timeout, f"the model to be {state}")


def problems(server: ServerProcess) -> dict[str, str]:
    """Task id to reason, of the tasks that got no prediction."""
    return {problem["task"]: problem["reason"] for problem in health(server)["problems"] if problem["task"]}


def role(pid: int) -> str:
    """What a process of a server is there for: `worker`, `trainer`, `guard`; `other` for a model's own."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return "gone"
    modules = {b"label_studio_ml.predict.worker": "worker", b"label_studio_ml.train.trainer": "trainer"}
    modules[guard.WATCH.encode()] = "guard"
    return next((modules[word] for word in command if word in modules), "other")


def workers(server: ServerProcess) -> list[int]:
    """The living predict workers of a server, without what models have forked."""
    found = {pid for pid in server.children() if role(pid) == "worker"}
    return sorted(pid for pid in found if parent(pid) not in found)


def parent(pid: int) -> int:
    """The parent of a process; 0 when the process is gone."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0
    return int(status.rpartition(")")[2].split()[1])


def resident(pids: Iterable[int]) -> dict[int, float]:
    """Resident memory of processes in MB; those that are gone are left out."""
    found = {}
    for pid in pids:
        with contextlib.suppress(OSError, IndexError):
            pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
            found[pid] = pages * 4096 / 2**20
    return found
