"""[web process] How a child is started and ended.

Children are started fresh, never forked: a fork would carry locks, threads and CUDA state into the child.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from .channel import Connection
from .guard import Guard

# A group, so that what a child starts ends with it and Ctrl-C is not its business. No session where that can be
# avoided: Linux may share its cores among sessions first, and the trainer would not stand back for predictions.
_OF_ITS_OWN: dict[str, Any] = {"process_group": 0} if sys.version_info >= (3, 11) else {"start_new_session": True}

_guard = Guard()


class Child:
    """A started child process: its pid, how it ends, and the connection to it."""

    def __init__(self, process: subprocess.Popen[bytes], connection: Connection) -> None:
        self._process = process
        self.connection = connection
        self.pid = process.pid
        self._over = False

    def send(self, frame: bytes) -> None:
        """Send one frame to the child."""
        self.connection.send(frame)

    @property
    def exited(self) -> bool:
        """Whether it has ended; its socket may be open still, if it has forked."""
        return self._process.poll() is not None

    def kill(self) -> None:
        """End the child and everything it started, at once."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        self.connection.close()

    async def wait(self, timeout: float) -> bool:
        """Wait for the child to end; False when it has not after `timeout` seconds."""
        try:
            await asyncio.to_thread(self._process.wait, timeout)
        except subprocess.TimeoutExpired:
            return False
        if not self._over:
            self._over = True
            _guard.note("-", self.pid)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)  # what it started and left behind
        return True

    async def ended(self) -> str:
        """Reap a child whose socket closed and say how it ended."""
        if not await self.wait(2.0):
            self.kill()
            await self.wait(5.0)
        code = self._process.returncode
        if code is None:
            return "did not end"
        if code < 0:
            with contextlib.suppress(ValueError):
                return f"was ended by {signal.Signals(-code).name}"
        return f"ended with exit code {code}"


async def start(
    module: str,
    environment: dict[str, str],
    on_frame: Callable[[bytes], None],
    on_lost: Callable[[], None],
) -> Child:
    """Start `python -m module FD` in a process group of its own, connected by a socket pair."""
    ours, theirs = socket.socketpair()
    with theirs:
        process = subprocess.Popen(  # noqa: ASYNC220 - returns at once; asyncio's own cannot pass a socket
            [sys.executable, "-m", module, str(theirs.fileno())],
            stdin=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
            # Without this, files of the folder we happen to be started in could stand in for modules.
            env={**os.environ, "PYTHONSAFEPATH": "1", **environment},
            **_OF_ITS_OWN,
        )
    _guard.note("+", process.pid)
    loop = asyncio.get_running_loop()
    _, connection = await loop.create_unix_connection(lambda: Connection(on_frame, on_lost), sock=ours)
    return Child(process, connection)
