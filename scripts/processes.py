"""Processes that people's scripts and the tests start: free ports, waiting with a deadline, stopping.

Knows nothing of what it starts. Linux only where it looks into `/proc` (`family`).
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

FAMILY = "PROCESS_FAMILY"
"""Environment variable by which a process and everything it starts is recognised, orphans included."""

_PORTS = 10_000, 32_000
_random = random.SystemRandom()  # tests seed the other one


def free_port() -> int:
    """A TCP port of this machine that nothing listens on right now.

    Chosen at random below the ports that systems give to outgoing connections: another process that asks at the
    same moment, or connects somewhere, does not get the same one before a server listens on it.
    """
    while True:
        port = _random.randrange(*_PORTS)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def wait_until(condition: Callable[[], T | None], timeout: float, what: str) -> T:
    """Ask again and again until the condition gives something true, and return that.

    Raises:
        TimeoutError: it did not within `timeout` seconds; the message says what was waited for.
    """
    deadline = time.monotonic() + timeout
    while True:
        if answer := condition():
            return answer
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {timeout:g} s for {what}")
        time.sleep(0.05)


def _environment(process: Path) -> list[bytes]:
    """What a process was started with; empty for a zombie, which is dead and only not yet waited for."""
    try:
        return (process / "environ").read_bytes().split(b"\0")
    except OSError:
        return []


class Process:
    """A command with its output in a file (or on the terminal), and a way to find everything it started."""

    def __init__(
        self,
        arguments: Sequence[str | Path],
        *,
        env: Mapping[str, str],
        log_file: Path | None = None,
        cwd: Path | None = None,
    ) -> None:
        """Start it in a session of its own, so that a Ctrl-C meant for us is not its business."""
        self.log_file = log_file
        self._family = uuid.uuid4().hex
        output = log_file.open("ab") if log_file else None
        try:
            self._popen = subprocess.Popen(
                [str(argument) for argument in arguments],
                env={**env, FAMILY: self._family},
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT if output else None,
                start_new_session=True,
            )
        finally:
            if output:
                output.close()

    @property
    def pid(self) -> int:
        """The process id of the command itself."""
        return self._popen.pid

    @property
    def exit_code(self) -> int | None:
        """How it ended: None while it runs, a negative signal number when a signal ended it."""
        return self._popen.poll()

    @property
    def log(self) -> str:
        """Everything it has written so far."""
        return self.log_file.read_text(errors="replace") if self.log_file else ""

    def family(self) -> set[int]:
        """The living processes that descend from the command, itself included, also when it is gone."""
        mark = f"{FAMILY}={self._family}".encode()
        return {int(folder.name) for folder in Path("/proc").glob("[0-9]*") if mark in _environment(folder)}

    def children(self) -> set[int]:
        """The living processes that the command started, directly or not."""
        return self.family() - {self.pid}

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the command alone."""
        self._popen.send_signal(number)

    def wait(self, timeout: float) -> int:
        """Wait for the end of the command and return its exit code."""
        return self._popen.wait(timeout)

    def kill_family(self) -> None:
        """End everything at once with SIGKILL, as a power cut would."""

        def gone() -> bool:
            members = self.family()  # asked again each time: one of them may just have started another
            for pid in members:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            return not members

        wait_until(gone, 30, "killed processes to be gone")
        self._popen.wait()

    def stop(self, timeout: float = 40) -> int:
        """Ask it to stop with SIGTERM, wait, kill what is left after the timeout; return the exit code."""
        if self.exit_code is None:
            self.signal(signal.SIGTERM)
        try:
            return self.wait(timeout)
        except subprocess.TimeoutExpired:
            return signal.SIGKILL
        finally:
            self.kill_family()
