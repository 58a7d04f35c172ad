"""[web process] Who runs a job: a server has it for some seconds and renews that; one that is gone loses it."""

from __future__ import annotations

import uuid

from ..processes import identity
from ..store.jobs import Job

SECONDS = 30.0
"""How long a lease lasts."""


def new_owner() -> str:
    """A name under which this process takes jobs; every one is new."""
    return f"{identity.name()}/{uuid.uuid4().hex}"


def is_lost(job: Job) -> bool:
    """Whether whoever had the job is gone: its lease has run out, or its process has ended."""
    return job.lease_is_over(SECONDS) or identity.has_ended(job.lease_owner or "")
