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
    """Where the class is: a Python file, perhaps the class's name, and arguments for its constructor."""

    path: str
    class_name: str | None = None
    kwargs: dict[str, Any] = {}

    @property
    def folder(self) -> Path:
        """The folder the file is in."""
        return Path(self.path).parent


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
    """The instance is ready; `version` is the name it goes by."""

    id: int
    version: str


class Loading(msgspec.Struct, tag="loading"):
    """The instance that a call needs is being constructed, or (`over`) has been: this time is not the call's."""

    id: int
    over: bool


class Streamed(msgspec.Struct, tag="streamed"):
    """Results of the next tasks of a `Predict` that goes on."""

    id: int
    answer: Answer


class Answered(msgspec.Struct, tag="answered"):
    """Answer to a `Predict`; `seconds` is the time spent in it."""

    id: int
    answer: Answer
    seconds: float


class Stored(msgspec.Struct, tag="stored"):
    """Answer to a `Store`; `error` when it did not work."""

    id: int
    error: str


class Refused(msgspec.Struct, tag="refused"):
    """A `Warm` or `Predict` failed as a whole: the instance could not be constructed."""

    id: int
    error: str
    detail: str


ToWorker = Configure | Warm | Predict | Store | Stop
FromWorker = Ready | Broken | Warmed | Loading | Streamed | Answered | Stored | Refused


# --- trainers ------------------------------------------------------------------------------------------


class Fit(msgspec.Struct, tag="fit"):
    """Run a job that `owner` has claimed."""

    job_id: str
    owner: str


class Fitted(msgspec.Struct, tag="fitted"):
    """The job is over and stored; `version` is the number of what came out, None when nothing changed."""

    job_id: str
    version: int | None


class Failed(msgspec.Struct, tag="failed"):
    """The job failed, and that is stored."""

    job_id: str
    error: str
    detail: str


class Postponed(msgspec.Struct, tag="postponed"):
    """Label Studio is not there; the job waits, and that is stored."""

    job_id: str
    reason: str


Outcome = Fitted | Failed | Postponed
ToTrainer = Configure | Fit | Stop
FromTrainer = Ready | Broken | Fitted | Failed | Postponed

encode = msgspec.msgpack.Encoder().encode
to_worker = msgspec.msgpack.Decoder(ToWorker).decode
from_worker = msgspec.msgpack.Decoder(FromWorker).decode
to_trainer = msgspec.msgpack.Decoder(ToTrainer).decode
from_trainer = msgspec.msgpack.Decoder(FromTrainer).decode
