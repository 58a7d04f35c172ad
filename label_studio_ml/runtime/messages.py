"""What crosses the boundary between the web process and a predict worker, as msgpack frames.

`Configure`, `Stop`, `Ready` and `Broken` are the same for every child.
"""

from __future__ import annotations

import msgspec

from ..backend.answers import Answer, Broken, Configure, Group, Ready, Stop


class Warm(msgspec.Struct, tag="warm"):
    """Have the instance for this project and version ready."""

    id: int
    project_id: str
    label_config: str | None
    version: int


class Predict(msgspec.Struct, tag="predict"):
    """Predict for the tasks of some requests. `params` is JSON."""

    id: int
    project_id: str
    label_config: str | None
    version: int
    groups: list[Group]
    params: bytes


class Warmed(msgspec.Struct, tag="warmed"):
    """The instance is ready; `version` is the name it goes by."""

    id: int
    version: str


class Answered(msgspec.Struct, tag="answered"):
    """Answer to a `Predict`; `seconds` is the time spent in it."""

    id: int
    answer: Answer
    seconds: float


class Refused(msgspec.Struct, tag="refused"):
    """A `Warm` or `Predict` failed as a whole: the instance could not be constructed."""

    id: int
    error: str
    detail: str


ToWorker = Configure | Warm | Predict | Stop
FromWorker = Ready | Broken | Warmed | Answered | Refused

encode = msgspec.msgpack.Encoder().encode
to_worker = msgspec.msgpack.Decoder(ToWorker).decode
from_worker = msgspec.msgpack.Decoder(FromWorker).decode
