"""Everything that crosses between the web process and its children, as msgpack frames; light to import.

First what both kinds of children share, then predict workers, then trainers.
"""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any, get_args

import msgspec

from ..errors import Reason

REASONS = ("raised", "count", "crashed", "timeout", *get_args(Reason))
"""Why a task may get no prediction, in one word.

predict() raised, miscounted, ended its process, or took too long; or what it returned is invalid.
"""


class Source(msgspec.Struct, frozen=True):
    """Where the author's class is."""

    path: str
    """The Python file."""
    class_name: str | None = None
    """The class's name; None when it is the only one there."""
    kwargs: dict[str, Any] = {}
    """Arguments for its constructor."""

    @property
    def folder(self) -> Path:
        """The folder the file is in."""
        return Path(self.path).parent


class Description(msgspec.Struct, frozen=True):
    """What the rest of the server needs to know about the author's class."""

    model_class: str
    """Its name."""
    generation: int
    """Of its `fit()`: 1 takes annotations, 2 takes an event."""
    train_events: list[str]
    """Names of the events that train."""
    learns: bool
    """Whether it has a `fit()` of its own."""
    concurrent: bool
    """Whether its `predict()` is a coroutine, so that calls may overlap."""
    train_on: str | None = None
    """`events`, `start` or `never`; None, here and below, where the class says nothing."""
    train_every: int | None = None
    """Changed annotations from which a training is worth it."""
    train_min_annotations: int | None = None
    """Annotations below which no training starts."""
    train_debounce: float | None = None
    """Seconds without an event until a training starts."""


class Problem(msgspec.Struct, frozen=True):
    """Why a task got no prediction."""

    place: int
    """The task's, among those of the answer."""
    task: str
    """Its id, if it has one."""
    kind: str
    """`predict` or `invalid`."""
    message: str
    """In words."""
    reason: str = "raised"
    """One of `REASONS`."""
    control: str = ""
    """The control tag whose region is invalid, if it is one region."""


class Answer(msgspec.Struct):
    """What came of the tasks of a call."""

    results: list[bytes]
    """An encoded item for each task; for each that remains, when results were streamed before."""
    version: str
    """Name of the version that predicted."""
    number: int
    """Its number."""
    problems: list[Problem] = []
    """What went wrong."""
    mergeable: bool = True
    """Whether the class can be given the tasks of several requests in one call."""


class Configure(msgspec.Struct, tag="configure"):
    """First frame to a child."""

    name: str
    """Its name in logs."""
    source: Source
    """What to load."""
    settings: dict[str, Any]
    """Those it runs under, as far as they differ from the defaults."""


class Stop(msgspec.Struct, tag="stop"):
    """Finish what was sent before, then end."""


class Ready(msgspec.Struct, tag="ready"):
    """The author's code is imported."""

    description: Description


class Broken(msgspec.Struct, tag="broken"):
    """The author's code could not be imported; the child ends."""

    error: str
    """In a sentence."""
    detail: str
    """The author's traceback, if there is one."""
    usage: bool
    """Whether the command named no usable class."""


# --- predict workers -----------------------------------------------------------------------------------


_next_id = itertools.count(1).__next__


class Warm(msgspec.Struct, tag="warm", frozen=True):
    """Have the instance for this project and version ready."""

    project_id: str
    label_config: str | None
    """The labeling config to load it with; None for the one known."""
    version: int
    """Number of the version."""
    id: int = msgspec.field(default_factory=_next_id)
    """What replies to it refer to."""


class Predict(msgspec.Struct, tag="predict", frozen=True):
    """One call of predict(): the tasks of some requests that may share it."""

    project_id: str
    label_config: str | None
    """The labeling config as sent with the requests; None for the one known."""
    version: int
    """Number of the version to predict with."""
    tasks: list[bytes]
    """As JSON, those of one request after those of another."""
    sizes: list[int]
    """How many tasks each request has; several only if none has a context."""
    params: bytes = b"{}"
    """As JSON: `context` and whatever else came with the requests."""
    id: int = msgspec.field(default_factory=_next_id)
    """What replies to it refer to."""


class Store(msgspec.Struct, tag="store", frozen=True):
    """Have Label Studio store predictions that became ready after their request was answered."""

    project_id: str
    predictions: list[dict[str, Any]]
    """Each with `task` (its id), `result`, `score` and `model_version`."""
    id: int = msgspec.field(default_factory=_next_id)
    """What the reply to it refers to."""


class Warmed(msgspec.Struct, tag="warmed"):
    """The instance is ready."""

    id: int
    version: str
    """The name that its version goes by."""


class Loading(msgspec.Struct, tag="loading"):
    """The instance that a call needs is being constructed, or has been: this time is not the call's."""

    id: int
    over: bool
    """Whether it has been."""


class Streamed(msgspec.Struct, tag="streamed"):
    """Results of the next tasks of a `Predict` that goes on."""

    id: int
    answer: Answer


class Answered(msgspec.Struct, tag="answered"):
    """Answer to a `Predict`."""

    id: int
    answer: Answer
    seconds: float
    """Time spent in it."""


class Stored(msgspec.Struct, tag="stored"):
    """Answer to a `Store`."""

    id: int
    error: str
    """Why it did not work; empty when it did."""


class NotLoaded(msgspec.Struct, tag="not-loaded"):
    """A `Warm` or `Predict` failed as a whole: the instance could not be constructed."""

    id: int
    error: str
    """In a sentence."""
    detail: str
    """The author's traceback."""


ToWorker = Configure | Warm | Predict | Store | Stop
FromWorker = Ready | Broken | Warmed | Loading | Streamed | Answered | Stored | NotLoaded


# --- trainers ------------------------------------------------------------------------------------------


class Fit(msgspec.Struct, tag="fit"):
    """Run a job."""

    job_id: str
    owner: str
    """Who has claimed it."""


class Fitted(msgspec.Struct, tag="fitted"):
    """The job is over and stored."""

    job_id: str
    version: int | None
    """Number of the version that came out; None when nothing changed."""


class Failed(msgspec.Struct, tag="failed"):
    """The job failed, and that is stored."""

    job_id: str
    error: str
    """In a sentence."""
    detail: str
    """The author's traceback, if there is one."""


class Postponed(msgspec.Struct, tag="postponed"):
    """Label Studio is not there; the job waits, and that is stored."""

    job_id: str
    reason: str
    """In a sentence."""


Outcome = Fitted | Failed | Postponed
ToTrainer = Configure | Fit | Stop
FromTrainer = Ready | Broken | Fitted | Failed | Postponed

encode = msgspec.msgpack.Encoder().encode
to_worker = msgspec.msgpack.Decoder(ToWorker).decode
from_worker = msgspec.msgpack.Decoder(FromWorker).decode
to_trainer = msgspec.msgpack.Decoder(ToTrainer).decode
from_trainer = msgspec.msgpack.Decoder(FromTrainer).decode
