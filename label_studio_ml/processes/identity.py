"""[any process] Which process of which machine this is, and whether another one, known by its name, has ended.

Containers share host names and process numbers, and process numbers are used again. So a name holds what tells
machines, namespaces and processes apart. Where that is not enough, it is in doubt whether the process is there.
"""

from __future__ import annotations

import os
import platform
import socket
import uuid
from pathlib import Path

import psutil

_RUN = uuid.uuid4().hex
"""Tells this program from an earlier one that had replaced itself with exec()."""


def name() -> str:
    """The name of this process: `place/number/start/run`."""
    number = os.getpid()
    return f"{_place()}/{number}/{_start(number)}/{_RUN}"


def is_alive(other: str) -> bool | None:
    """Whether the process of that name is there; None when its numbers mean nothing here."""
    place, number, start, run, *_ = [*other.split("/"), "", "", "", ""]
    if not place or place != _place() or not number.isdecimal() or not start:
        return None
    if not psutil.pid_exists(int(number)):
        return False
    now = _start(int(number))
    if not now:
        return None
    return now == start and (run == _RUN or int(number) != os.getpid())


def is_here(other: str) -> bool:
    """Whether that is the name of this process, perhaps with more behind it."""
    return f"{other}/".startswith(f"{name()}/")


def _place() -> str:
    """Where process numbers mean what they mean here; empty when that cannot be told."""
    host = socket.gethostname().replace("/", "_")
    if platform.system() != "Linux":
        return f"{host}.{uuid.getnode():x}"
    try:
        if _link("/proc/self") != str(os.getpid()):  # it shows the processes of another namespace
            return ""
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return ".".join([host, boot, _link("/proc/self/ns/pid"), _times()])
    except OSError:
        return ""


def _link(path: str) -> str:
    return str(Path(path).readlink())


def _times() -> str:
    """The namespace that start times are told in; older kernels have none."""
    try:
        return _link("/proc/self/ns/time")
    except FileNotFoundError:
        return ""


def _start(number: int) -> str:
    """When a process began, in a clock that nobody sets; empty when that cannot be told."""
    try:
        if platform.system() != "Linux":
            return repr(psutil.Process(number).create_time())
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError, psutil.Error):
        return ""
