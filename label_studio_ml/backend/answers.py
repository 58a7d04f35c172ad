"""What the web process and its children say to each other about the author's class; light to import."""

from __future__ import annotations

from typing import Any, get_args

import msgspec

from ..errors import Reason
from .source import Source

REASONS = ("raised", "count", "crashed", "timeout", *get_args(Reason))
"""Why a task may get no prediction, in one word.

predict() raised, miscounted, ended its process, or took too long; or what it returned is invalid.
"""


class Description(msgspec.Struct, frozen=True):
    """What the rest of the server needs to know about the author's class."""

    model_class: str
    generation: int
    train_events: list[str]
    learns: bool
    concurrent: bool
    train_on: str | None = None
    train_every: int | None = None
    train_min_annotations: int | None = None
    train_debounce: float | None = None


class Problem(msgspec.Struct, frozen=True):
    """Why a task got no prediction.

    `place`: the task's, among those of the call; `kind`: `predict` or `invalid`; `reason`: one of `REASONS`;
    `control`: the control tag whose region is invalid, if it is one region.
    """

    place: int
    task: str
    kind: str
    message: str
    reason: str = "raised"
    control: str = ""


class Answer(msgspec.Struct):
    """The encoded items of a call's tasks; name and number of their version; what went wrong.

    When results were streamed before, `results` are those of the remaining tasks.
    """

    results: list[bytes]
    version: str
    number: int
    problems: list[Problem] = []
    mergeable: bool = True


class Configure(msgspec.Struct, tag="configure"):
    """First frame to a child: its name in logs, what to load, and the settings it runs under."""

    name: str
    source: Source
    settings: dict[str, Any]


class Stop(msgspec.Struct, tag="stop"):
    """Finish what was sent before, then end."""


class Ready(msgspec.Struct, tag="ready"):
    """The author's code is imported."""

    description: Description


class Broken(msgspec.Struct, tag="broken"):
    """The author's code could not be imported; the child ends. `usage`: the command named no usable class."""

    error: str
    detail: str
    usage: bool
