"""What crosses the boundary between the web process and a predict worker, as msgpack frames.

`Configure`, `Stop`, `Ready` and `Broken` are the same for every child.
"""

from __future__ import annotations

from typing import Any

import msgspec

from ..backend.answers import Answer, Broken, Configure, Ready, Stop


class Warm(msgspec.Struct, tag="warm"):
    """Have the instance for this project and version ready."""

    id: int
    project_id: str
    label_config: str | None
    version: int


class Predict(msgspec.Struct, tag="predict"):
    """Predict for the tasks of some requests; `sizes` has how many each brought. `params` is JSON."""

    id: int
    project_id: str
    label_config: str | None
    version: int
    tasks: list[bytes]
    sizes: list[int]
    params: bytes


class Store(msgspec.Struct, tag="store"):
    """Have Label Studio store predictions that became ready after their request was answered."""

    id: int
    project_id: str
    predictions: list[dict[str, Any]]


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

encode = msgspec.msgpack.Encoder().encode
to_worker = msgspec.msgpack.Decoder(ToWorker).decode
from_worker = msgspec.msgpack.Decoder(FromWorker).decode
