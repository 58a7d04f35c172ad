"""Servers that a benchmark starts, measures and ends, with all that they started. Linux only: it reads /proc."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

PATIENCE = 10.0
"""Seconds that a server gets to end by itself."""


class StartError(Exception):
    """A contender cannot be installed or does not start; the message is one line that says why."""


# A group, to be ended as a whole. Not a session: Linux shares its cores among sessions first, and how it weighs a
# server against the load beside it is not what is measured.
_OF_ITS_OWN: dict[str, Any] = {"process_group": 0} if sys.version_info >= (3, 11) else {"start_new_session": True}


class Process:
    """A running server."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], folder: Path) -> None:
        """Start it; what it prints goes to `log` in its folder."""
        self.log = folder / "output.log"
        with self.log.open("wb") as output:
            self._process = subprocess.Popen(
                command,
                env=environment,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                **_OF_ITS_OWN,
            )
        self.pid = self._process.pid

    def check(self) -> None:
        """Raise `StartError` if it has ended."""
        if (status := self._process.poll()) is not None:
            raise StartError(f"ended with status {status}: {self.last_words()}")

    def last_words(self) -> str:
        """The last line it printed."""
        lines = [line.strip() for line in self.log.read_text(errors="replace").splitlines() if line.strip()]
        return lines[-1][:200] if lines else "it printed nothing"

    def end(self) -> None:
        """End it and everything that it started."""
        started = descendants(self.pid)
        _signal_group(self.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(PATIENCE)
        _signal_group(self.pid, signal.SIGKILL)
        self._process.wait()
        for pid, born in started.items():
            if descendant_born(pid) == born:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


@contextlib.contextmanager
def running(command: Sequence[str], environment: Mapping[str, str], folder: Path) -> Iterator[Process]:
    """A server for the time of a `with` block."""
    process = Process(command, environment, folder)
    try:
        yield process
    finally:
        process.end()


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for(port: int, process: Process, seconds: float) -> None:
    """Wait until somebody listens.

    Raises:
        StartError: the process ended, or time is up.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        process.check()
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.02)
    raise StartError(f"does not listen after {seconds:g} s: {process.last_words()}")


def children(pid: int) -> list[int]:
    """What a process started and has not yet been buried."""
    found: list[int] = []
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for thread in Path(f"/proc/{pid}/task").iterdir():  # each thread has children of its own
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                found += map(int, (thread / "children").read_text().split())
    return found


def descendants(pid: int) -> dict[int, int]:
    """Children, their children and so on, with the time each was born, in clock ticks since the machine started."""
    found: dict[int, int] = {}
    for child in children(pid):
        if (born := descendant_born(child)) is not None:
            found[child] = born
        found |= descendants(child)
    return found


def descendant_born(pid: int) -> int | None:
    """When a process was born, in clock ticks since the machine started; None when there is none."""
    fields = _stat(pid)
    return int(fields[19]) if fields else None


def workers(pid: int) -> list[int]:
    """The predict workers of our server, given its web process."""
    found = []
    for child in children(pid):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if b"predict.worker" in Path(f"/proc/{child}/cmdline").read_bytes():
                found.append(child)
    return found


def cpu_seconds(pid: int) -> float:
    """Processor time a process has used."""
    fields = _stat(pid)
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident(pid: int) -> float:
    """Memory that a process takes now, in MB (2**20 bytes); 0 when there is none."""
    return _memory(pid, "VmRSS")


def peak(pid: int) -> float:
    """The most memory that it took since `reset_peak`, in MB."""
    return _memory(pid, "VmHWM")


def reset_peak(pid: int) -> None:
    """Forget the most it took so far."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def _memory(pid: int, name: str) -> float:
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(name):
                return int(line.split()[1]) / 1024
    return 0.0


def _stat(pid: int) -> list[str]:
    """What /proc says after the process' name, the state first."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def _signal_group(pid: int, which: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, which)
