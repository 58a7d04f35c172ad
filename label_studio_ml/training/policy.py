"""Which events train, when, and as what: each a job of its own (generation 2), or one for all (generation 1)."""

from __future__ import annotations

import time
from typing import Any

import msgspec
from sqlalchemy import Connection

from ..backend.answers import Description
from ..protocol import events as protocol
from ..settings import Settings
from ..store import counts, events, jobs

_LONGEST_DEBOUNCE = 10
"""Quiet times after which a training starts although events keep coming."""


class Rules(msgspec.Struct, frozen=True):
    """When to train; see `docs/training.md`. `debounce` is in seconds."""

    on: str = "events"
    every: int = 1
    min_annotations: int = 0
    debounce: float = 2.0


def rules(settings: Settings, description: Description) -> Rules:
    """The rules in force: options of the server, else attributes of the author's class, else the defaults."""
    said: dict[str, Any] = {
        "on": settings.train_on or description.train_on,
        "every": settings.train_every or description.train_every,
        "min_annotations": settings.train_min_annotations or description.train_min_annotations,
        "debounce": settings.train_debounce if settings.train_debounce is not None else description.train_debounce,
    }
    return Rules(**{name: value for name, value in said.items() if value not in (None, "")})


def take_up(connection: Connection, project_id: str, description: Description, rules: Rules) -> str | None:
    """Turn a project's waiting events into work, or let them wait for more.

    A generation-1 fit() learns from the whole annotated set, so one waiting job serves all events until it starts.
    A generation-2 fit() gets every event, in order, each in a job of its own.

    Returns:
        The id of the job that the newest event belongs to; None when it trains nothing yet.
    """
    waiting: list[tuple[int, str]] = []
    for event_id, action in events.pending(connection, project_id):
        if project_id and description.learns and _counts(action, description, rules):
            waiting.append((event_id, action))
        else:
            events.settle(connection, event_id)
    pressed = any(action == protocol.START_TRAINING for _, action in waiting)
    if not waiting or not (pressed or _is_time(connection, project_id, rules)):
        return None
    counts.mark_trained(connection, project_id)
    if description.generation == 1:
        return _join(connection, project_id, waiting, 0.0 if pressed else rules.debounce)
    job_id = None
    for event_id, action in waiting:
        job_id = jobs.add(connection, project_id, action)
        events.assign(connection, event_id, job_id)
    return job_id


def _counts(action: str, description: Description, rules: Rules) -> bool:
    return rules.on != "never" and protocol.trains(action, description.train_events)


def _is_time(connection: Connection, project_id: str, rules: Rules) -> bool:
    if rules.on != "events":
        return False
    if rules.every <= 1 and rules.min_annotations <= 0:
        return True
    total, fresh = counts.count(connection, project_id)
    return total >= rules.min_annotations and (rules.every <= 1 or fresh >= rules.every)


def _join(connection: Connection, project_id: str, waiting: list[tuple[int, str]], debounce: float) -> str:
    now = time.time()
    job_id = jobs.waiting(connection, project_id)
    if job_id is None:
        job_id = jobs.add(connection, project_id, waiting[0][1], not_before=now + debounce)
    else:
        job = jobs.get(connection, job_id)
        latest = (job.created_at if job else now) + _LONGEST_DEBOUNCE * debounce
        jobs.delay(connection, job_id, min(now + debounce, latest))
    for event_id, _ in waiting:
        events.assign(connection, event_id, job_id)
    return job_id
