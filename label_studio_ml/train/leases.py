"""[web process] Who runs a job: a server has it for some seconds and renews that; one that is gone loses it."""

from __future__ import annotations

import os
import socket
import uuid

from ..store.jobs import Job

SECONDS = 30.0
"""How long a lease lasts."""

_PROCESS = uuid.uuid4().hex
"""Tells this process from an earlier one of the same number, as in a restarted container."""


def new_owner() -> str:
    """A name under which this process takes jobs; every one is new."""
    return f"{socket.gethostname()}/{os.getpid()}/{_PROCESS}/{uuid.uuid4().hex}"


def is_lost(job: Job) -> bool:
    """Whether whoever had the job is gone: its lease has run out, or its process is not there."""
    return job.lease_is_over(SECONDS) or _is_gone(job.lease_owner or "")


def _is_gone(owner: str) -> bool:
    host, pid, process, *_ = [*owner.split("/"), "", ""]
    if host != socket.gethostname() or not pid.isdigit():
        return False
    if int(pid) == os.getpid():
        return process != _PROCESS
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
