"""How long Label Studio waits for each call. Facts of Label Studio 1.23; no I/O."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Deadlines:
    """Seconds after which Label Studio gives a call up; a missed webhook is lost for good."""

    connect: float = 1.0
    health: float = 1.0
    setup: float = 3.0
    predict: float = 100.0
    webhook: float = 1.0
    versions: float = 3.0
    job_status: float = 1.0
    delete: float = 1.0
