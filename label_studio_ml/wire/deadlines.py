"""How long Label Studio waits for each call. Facts of Label Studio 1.23.2; no I/O."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Deadlines:
    """Seconds after which Label Studio gives a call up."""

    connect: float = 1.0
    """For a connection, whatever the call."""
    health: float = 1.0
    """It asks when a backend is connected or listed, and before every prediction."""
    setup: float = 3.0
    """It asks straight after every health call."""
    predict: float = 100.0
    """A proxy in between often gives up after 60 to 90."""
    train: float = 100.0
    """The Start training button, and `/train` of older versions."""
    webhook: float = 1.0
    """After it the event is lost for good; without a task queue the annotator waits for it, too."""
    versions: float = 3.0
    """The page of the model."""
    job_status: float = 1.0
    delete: float = 1.0
