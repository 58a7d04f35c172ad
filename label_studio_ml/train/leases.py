"""[web process] Who runs a job: a server has it on a lease that it renews; one that is gone loses it.

A lease is renewed by changing it, and whoever watches it counts for how long it has not changed: no time is
compared with another machine's clock, and none passes for a watcher that stands still itself.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable

import msgspec

from ..processes import identity
from ..store.jobs import Job

SECONDS = 30.0
"""How long a lease lasts when it is not renewed."""

_LONGEST_LOOK = 5.0
"""Seconds between two looks that count at the most: whoever looks more rarely has perhaps stood still."""


def new_server() -> str:
    """A name under which a scheduler of this process takes jobs; every one is new."""
    return f"{identity.name()}/{uuid.uuid4().hex}"


def new_owner(server: str) -> str:
    """Who owns the lease of one attempt of a job; every one is new, so that a late attempt cannot end another."""
    return f"{server}/{uuid.uuid4().hex}"


def is_of(owner: str | None, server: str) -> bool:
    """Whether an owner is of a server."""
    return (owner or "").startswith(f"{server}/")


class _Seen(msgspec.Struct):
    """A lease as it was at the last look."""

    lease: tuple[str | None, float | None]
    """Owner and end; changes whenever it is renewed."""
    at: float
    """When that look was, in this process's monotonic clock."""
    unchanged: float = 0.0
    """Seconds for which looks have found it like this."""


class Watch:
    """Watches the leases of other servers."""

    def __init__(self) -> None:
        self._seen: dict[str, _Seen] = {}

    def lost(self, started: Iterable[Job]) -> list[Job]:
        """Those of the jobs that run whose servers are gone; to be asked about all of them, again and again."""
        now = time.monotonic()
        self._seen = {job.id: self._look(job, now) for job in started}
        return [job for job in started if self._is_lost(job)]

    def _look(self, job: Job, now: float) -> _Seen:
        lease, before = (job.lease_owner, job.lease_until), self._seen.get(job.id)
        if before is None or before.lease != lease:
            return _Seen(lease, now)
        return _Seen(lease, now, before.unchanged + min(now - before.at, _LONGEST_LOOK))

    def _is_lost(self, job: Job) -> bool:
        """A server that this machine still has, though it may stand still, keeps its jobs."""
        owner = job.lease_owner or ""
        alive = None if identity.is_here(owner) else identity.is_alive(owner)  # here, its scheduler may have ended
        return self._seen[job.id].unchanged > SECONDS if alive is None else not alive
