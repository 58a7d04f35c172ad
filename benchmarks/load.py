"""Load from wrk, and what it saw. One thread: it is quick enough, and leaves a core to the server."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from . import payloads
from .contenders import Server
from .processes import StartError

SCRIPT = Path(__file__).with_name("load.lua")
DIFFERENT = 512
"""Requests that are sent in turn."""


@dataclass(frozen=True)
class Load:
    """What one run saw. Times in ms, from sending a request to the end of its reply."""

    requests: int
    seconds: float
    p50: float
    p99: float
    longest: float
    broken: int
    """Requests without an answer."""
    refused: int
    """Requests with an answer that is not 2xx."""
    empty: int
    """Requests with an answer that has no prediction, if it looked."""
    first: str
    """Status and beginning of the first answer that failed, if it looked."""

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds

    @property
    def failed(self) -> int:
        """Requests that did not get what they asked for."""
        return self.broken + self.refused + self.empty

    @property
    def why(self) -> str:
        """How they failed."""
        return (
            f"of {self.requests} requests {self.broken} got no answer, {self.refused} an error, "
            f"{self.empty} no prediction" + (f"; the first: {self.first}" if self.first else "")
        )


def available() -> bool:
    """Whether wrk is installed."""
    return shutil.which("wrk") is not None


def load(server: Server, clients: int, seconds: float, *, look: bool = False) -> Load:
    """Send one-task requests for a while, each client the next one as soon as it has its reply.

    Args:
        server: where to.
        clients: connections.
        seconds: how long.
        look: look into each reply for a prediction; takes wrk a little time.

    Raises:
        StartError: wrk failed, or no request got an answer.
    """
    # fmt: off
    command = ["wrk", "--threads", "1", "--connections", str(clients), "--duration", f"{max(1, round(seconds))}s",
               "--timeout", "30s", "--script", str(SCRIPT), server.url, "--", str(_bodies(server))]
    # fmt: on
    done = subprocess.run(
        [*command, *(["look"] if look else [])], check=False, capture_output=True, text=True, timeout=seconds + 60
    )
    if done.returncode:
        raise StartError(f"wrk failed: {(done.stderr or done.stdout).strip()[-200:]}")
    *_, first, last = done.stdout.splitlines()
    seen = json.loads(last)
    if not seen["requests"]:
        server.process.check()
        raise StartError("no request got an answer")
    return Load(**seen, first=first.partition(": ")[2])


def _bodies(server: Server) -> Path:
    """The file with the requests."""
    path = server.folder / "bodies"
    if not path.exists():
        numbers = range(payloads.FIRST, payloads.FIRST + DIFFERENT)
        tasks = (payloads.task(server.model, number) for number in numbers)
        path.write_bytes(b"".join(server.contender.body([task]) + b"\n" for task in tasks))
    return path
