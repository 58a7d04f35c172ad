"""Plays Label Studio before a running backend: the calls it makes, in its order, within its deadlines.

Works with any backend that speaks the protocol. Leaves no marks: a throw-away project is deleted afterwards, and
the one event that is sent is none that trains.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..wire import bodies
from . import health, own_report, sent_event
from .caller import PATIENCE, Caller
from .findings import Findings
from .played_project import PlayedProject
from .predictions import Predictions
from .setup import Setup


@dataclass(frozen=True, kw_only=True)
class Examined:
    """What came of looking at a backend."""

    findings: Findings
    state: dict[str, Any] = field(default_factory=dict)
    """What it says about itself at /health."""
    webhook_refused: bool = False
    """Whether it refused an event that carried the webhook's headers."""


def examine(caller: Caller, played: PlayedProject) -> Examined:
    """Check everything; what cannot be checked because something before it failed is left out."""
    findings = Findings("backend")
    state = health.check(caller, findings)
    if state is None:
        return Examined(findings=findings)
    try:
        refused = _play(caller, played, state, findings)
    finally:
        caller.call("POST", "delete", PATIENCE, body=bodies.delete(played.throw_away))
    return Examined(findings=findings, state=state, webhook_refused=refused)


def _play(caller: Caller, played: PlayedProject, state: dict[str, Any], findings: Findings) -> bool:
    """Whether the backend refused the event."""
    setup = Setup(caller, played, findings)
    reply = setup.sign_in()
    if reply is None:
        return False
    own_report.read(state, findings)
    version = setup.check(reply)
    if version is not None:
        Predictions(caller, played, findings, setup.version, version).run()
    trains = state.get("train_events")
    return sent_event.check(caller, played, findings, trains if isinstance(trains, list) else [])
