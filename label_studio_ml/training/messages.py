"""What crosses the boundary between the web process and the trainer, as msgpack frames."""

from __future__ import annotations

import msgspec

from ..backend.answers import Broken, Configure, Ready, Stop


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
to_trainer = msgspec.msgpack.Decoder(ToTrainer).decode
from_trainer = msgspec.msgpack.Decoder(FromTrainer).decode
