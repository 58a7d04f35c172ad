"""Which events train, when, and as what: each a job of its own (generation 2), or one for all (generation 1)."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection

from ..processes.messages import Description
from ..settings import Settings
from ..store import counts, events, jobs
from ..wire import events as protocol

_LONGEST_DEBOUNCE = 10
"""Quiet times after which a training starts although events keep coming."""


class Rules(msgspec.Struct, frozen=True):
    """When to train."""

    on: str = "events"
    """On `events`, only on the button (`start`), or `never`."""
    every: int = 1
    """How many new annotations there must be."""
    min_annotations: int = 0
    """How many annotations there must be in all."""
    debounce: float = 2.0
    """Seconds without an event before a generation-1 training begins."""


def rules(settings: Settings, description: Description) -> Rules:
    """The rules in force: options of the server, else attributes of the author's class, else the defaults."""
    said: dict[str, Any] = {
        "on": settings.train_on or description.train_on,
        "every": settings.train_every or description.train_every,
        "min_annotations": settings.train_min_annotations or description.train_min_annotations,
        "debounce": settings.train_debounce if settings.train_debounce is not None else description.train_debounce,
    }
    return Rules(**{name: value for name, value in said.items() if value not in (None, "")})


def take_up(
    connection: Connection,
    project_id: str,
    description: Description,
    rules: Rules,
    arrived: Mapping[int, str] | None = None,
) -> dict[int, str]:
    """Turn a project's waiting events into work, or let them wait for more.

    A generation-1 fit() learns from the whole annotated set, so one waiting job serves all events until it starts.
    A generation-2 fit() gets every event, in order, each in a job of its own.

    Args:
        connection: in a transaction.
        project_id: the project.
        description: the author's class.
        rules: when it trains.
        arrived: ids and actions of the events that have just come; without, all that wait are looked at anew.

    Returns:
        For each event that was taken up its job; those that wait for more, or need no training, are left out.
    """
    learns = bool(project_id) and description.learns and rules.on != "never"
    train_events = description.train_events if learns else None
    news = _useful(connection, events.pending(connection, project_id) if arrived is None else arrived, train_events)
    pressed = protocol.START_TRAINING in news.values()
    if not news or not (pressed or _is_time(connection, project_id, rules)):
        return {}
    waiting = news if arrived is None else _useful(connection, events.pending(connection, project_id), train_events)
    counts.mark_trained(connection, project_id)
    if description.generation == 1:
        job_id = _join(connection, project_id, waiting, 0.0 if pressed else rules.debounce)
        return dict.fromkeys(waiting, job_id)
    taken = {event_id: jobs.add(connection, project_id, action) for event_id, action in waiting.items()}
    for event_id, job_id in taken.items():
        events.assign(connection, [event_id], job_id)
    return taken


def _useful(connection: Connection, found: Mapping[int, str], train_events: Sequence[str] | None) -> dict[int, str]:
    """Those that fit() is called for, none when there are no `train_events`; the others need no training."""
    kept = {
        event_id: action
        for event_id, action in found.items()
        if train_events is not None and protocol.trains(action, train_events)
    }
    events.settle(connection, [event_id for event_id in found if event_id not in kept])
    return kept


def _is_time(connection: Connection, project_id: str, rules: Rules) -> bool:
    if rules.on != "events":
        return False
    if rules.every <= 1 and rules.min_annotations <= 0:
        return True
    total, fresh = counts.count(connection, project_id)
    return total >= rules.min_annotations and (rules.every <= 1 or fresh >= rules.every)


def _join(connection: Connection, project_id: str, waiting: dict[int, str], debounce: float) -> str:
    now = time.time()
    job = jobs.waiting(connection, project_id)
    if job is None:
        first = next(iter(waiting.values()))
        job_id = jobs.add(connection, project_id, first, not_before=now + debounce)
    else:
        job_id = job.id
        jobs.delay(connection, job_id, min(now + debounce, job.created_at + _LONGEST_DEBOUNCE * debounce))
    events.assign(connection, list(waiting), job_id)
    return job_id
