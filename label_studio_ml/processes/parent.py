"""[child process] Its tie to the web process: taking up the socket, and ending when the other side is gone."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
import sys
from typing import NoReturn

from .channel import Channel

_PR_SET_PDEATHSIG = 1


def connect(fd: int) -> Channel:
    """Take up the inherited socket, and arrange to die with the web process."""
    os.environ.pop("PYTHONSAFEPATH", None)  # what the author starts is none of our business
    sock = socket.socket(fileno=fd)
    sock.set_inheritable(False)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the web process, which ends us in order
    if sys.platform == "linux":
        # A model stuck in C code cannot notice that the socket closed; the kernel does it for us.
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    return Channel(sock)


def end_group() -> NoReturn:
    """The web process is gone: end this process and whatever it started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(os.getpgid(0), signal.SIGKILL)
    os._exit(1)
