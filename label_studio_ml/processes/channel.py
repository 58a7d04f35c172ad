"""Frames between the web process and its children, and how a child is started and ended.

A frame is a 4-byte big-endian length and that many bytes. Children are started fresh, never forked: a fork
would carry locks, threads and CUDA state into the child.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any, NoReturn, cast

_LENGTH = struct.Struct(">I")
_PR_SET_PDEATHSIG = 1
# A group, so that what a child starts ends with it and Ctrl-C is not its business. No session where that can be
# avoided: Linux may share its cores among sessions first, and the trainer would not stand back for predictions.
_OF_ITS_OWN: dict[str, Any] = {"process_group": 0} if sys.version_info >= (3, 11) else {"start_new_session": True}


class Channel:
    """The child's end: blocking reads on one thread, writes from any."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._write = threading.Lock()

    def send(self, frame: bytes) -> None:
        """Send one frame; raises OSError when the other side is gone."""
        with self._write:
            self._sock.sendall(_LENGTH.pack(len(frame)) + frame)

    def receive(self) -> bytes | None:
        """Wait for one frame; None when the other side is gone."""
        header = self._exactly(_LENGTH.size)
        return None if header is None else self._exactly(_LENGTH.unpack(header)[0])

    def wait_gone(self) -> None:
        """Wait until the other side is gone; what it sent before may be unread still."""
        poll = select.poll()
        poll.register(self._sock, getattr(select, "POLLRDHUP", 0))  # hanging up is always told
        while not poll.poll():
            pass

    def _exactly(self, count: int) -> bytes | None:
        data = bytearray(count)
        view, done = memoryview(data), 0
        while done < count:
            try:
                got = self._sock.recv_into(view[done:])
            except OSError:
                return None
            if not got:
                return None
            done += got
        return bytes(data)


class Connection(asyncio.Protocol):
    """The web process's end, on its event loop."""

    def __init__(self, on_frame: Callable[[bytes], None], on_lost: Callable[[], None]) -> None:
        self._on_frame, self._on_lost = on_frame, on_lost
        self._buffer = bytearray()
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the loop."""
        self._transport = cast("asyncio.WriteTransport", transport)  # uvloop's is one in all but name

    def data_received(self, data: bytes) -> None:
        """Called by the loop: cut what came into frames."""
        self._buffer += data
        buffer, start = self._buffer, 0
        while len(buffer) - start >= _LENGTH.size:
            end = start + _LENGTH.size + _LENGTH.unpack_from(buffer, start)[0]
            if end > len(buffer):
                break
            self._on_frame(bytes(buffer[start + _LENGTH.size : end]))
            start = end
        del buffer[:start]

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - either way the child is gone
        """Called by the loop."""
        self._on_lost()

    def send(self, frame: bytes) -> None:
        """Send one frame; lost if the child is gone, which `on_lost` tells."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.writelines((_LENGTH.pack(len(frame)), frame))

    def close(self) -> None:
        """Close the socket; the child sees the end of its input."""
        if self._transport is not None:
            self._transport.close()


# Reads `+ GROUP` and `- GROUP`, and ends the groups that are left when nobody can write any more: a process that is
# killed cannot do that itself, and the kernel ends its children then, but not what they have started.
WATCH = """
groups=" "
while read -r sign group; do
  case $sign in
    +) groups="$groups$group " ;;
    -) groups="${groups%% $group *} ${groups#* $group }" ;;
  esac
done
for group in $groups; do kill -s KILL -- "-$group" 2>/dev/null; done
"""


class _Guard:
    """A shell that outlives this process by a moment, and ends what its children leave behind."""

    def __init__(self) -> None:
        self._pid = self._pipe = -1

    def note(self, sign: str, group: int) -> None:
        """A group has come (`+`) or gone (`-`)."""
        if os.name != "posix":
            return
        if self._pid != os.getpid():
            self._pid, self._pipe = os.getpid(), self._start()
        with contextlib.suppress(OSError):
            os.write(self._pipe, f"{sign} {group}\n".encode())

    @staticmethod
    def _start() -> int:
        theirs, ours = os.pipe()
        nowhere = (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0)
        actions = [(os.POSIX_SPAWN_DUP2, theirs, 0), (os.POSIX_SPAWN_CLOSE, 1), nowhere]
        # Nobody waits for it, and Ctrl-C is not its business.
        os.posix_spawn("/bin/sh", ["sh", "-c", WATCH], os.environ, file_actions=actions, setpgroup=0)
        os.close(theirs)
        return ours


_guard = _Guard()


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


def connect(fd: int) -> Channel:
    """[child] Take up the inherited socket, and arrange to die with the web process."""
    os.environ.pop("PYTHONSAFEPATH", None)  # what the author starts is none of our business
    sock = socket.socket(fileno=fd)
    sock.set_inheritable(False)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the web process, which ends us in order
    if sys.platform == "linux":
        # A model stuck in C code cannot notice that the socket closed; the kernel does it for us.
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    return Channel(sock)


def end_group() -> NoReturn:
    """[child] The web process is gone: end this process and whatever it started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(os.getpgid(0), signal.SIGKILL)
    os._exit(1)
