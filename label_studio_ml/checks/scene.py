"""A backend in the middle of a rehearsal: what is known so far, and how it is asked and made to learn."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
from label_studio_sdk.label_interface import LabelInterface
from sqlalchemy import Connection

from ..errors import PredictError
from ..processes import messages
from ..settings import Settings
from ..stage.api import Stage
from ..store import events, jobs, transitions
from ..store.database import Database
from ..train import training
from ..utils import compare_nested_structures
from ..wire import bodies
from .configs import LabelConfig
from .report import Check, Outcome, Problem
from .watched import Call, WatchedHost, detail, where

Json = dict[str, Any]
_OWNER = "rehearsal"


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What a backend is tried with.

    `tasks`: Label Studio tasks; where there are none, `count` are made to fit the labeling config. `hostname` and
    `access_token`: a real Label Studio, when the tasks are from one; else it is played.
    """

    label_config: LabelConfig
    tasks: Sequence[Json] = ()
    count: int = 4
    fit: bool = True
    project_id: str = "1"
    hostname: str = ""
    access_token: str = ""


class Stop(Exception):
    """Nothing more can be checked."""


class Asked(msgspec.Struct):
    """What came of a request: predictions by task, problems, and the calls of predict() it took."""

    predictions: list[list[Json]]
    problems: list[messages.Problem]
    calls: list[Call]
    version: str

    @property
    def seconds(self) -> float:
        """How long the author's code took."""
        return sum(call.seconds for call in self.calls)

    @property
    def raised(self) -> BaseException | None:
        """The first thing that predict() raised."""
        return next((call.error for call in self.calls if call.error is not None), None)


class Scene:
    """What the checks share. `number` and `version` are those of the version that predicts now."""

    interface: LabelInterface

    def __init__(
        self,
        host: WatchedHost,
        database: Database,
        settings: Settings,
        plan: Plan,
        stage: Stage,
        folder: Path | None,
    ) -> None:
        """Begin. `folder` is that of the author's code, if it has one."""
        self.host, self.database, self.settings = host, database, settings
        self.plan, self.stage, self.project = plan, stage, plan.project_id
        self.folder = folder
        self.number = 0
        self.version = ""
        self.tasks: list[Json] = []
        self.singles: list[Asked] = []
        self.batch: Asked | None = None
        self.clicked = self.later = 0
        self.speed: float | None = None

    def ask(self, tasks: Sequence[Json], context: Json | None = None) -> Asked:
        """One request for predictions."""
        before = len(self.host.calls)
        params = msgspec.json.encode(bodies.params(context))
        encoded = [msgspec.json.encode(task) for task in tasks]
        config = self.plan.label_config.xml
        answer = self.host.predict(
            messages.Predict(self.project, config, self.number, encoded, [len(encoded)], params)
        )
        predictions = [_decoded(item) for item in answer.results]
        return Asked(predictions, answer.problems, self.host.calls[before:], answer.version)

    def job(self, event: Json) -> messages.Outcome:
        """What the scheduler and the trainer of a server do with an event, at once."""
        action = event["action"]

        def claimed(connection: Connection) -> str:
            job_id = jobs.add(connection, self.project, action)
            event_id = events.add(connection, self.project, action, msgspec.json.encode(event))
            events.assign(connection, [event_id], job_id)
            transitions.claim(connection, _OWNER, 3600.0)
            return job_id

        job_id = self.database.write(claimed)
        self.host.fit_error, self.host.fit_seconds = None, 0.0
        return training.run(self.host, self.settings, self.database, job_id, _OWNER)

    def problem(
        self, check: str, message: str, fix: str, error: BaseException | None = None, task: Json | None = None
    ) -> Problem:
        """Something that is wrong; `error` is what the author's code raised, `task` the task it was about."""
        name = str(task["id"]) if task else ""
        message = f"task {name}: {message}" if name else message
        if isinstance(error, PredictError):  # raised by us
            error = None
        return Problem(
            check=check,
            message=message,
            fix=fix,
            task=name,
            where=where(error, self.folder),
            detail=detail(error, self.folder),
        )


def failed(check: Check, *problems: Problem, outcome: Outcome = Outcome.FAILED) -> Check:
    """The check with problems."""
    return msgspec.structs.replace(check, outcome=outcome, problems=[*check.problems, *problems])


def skip(names: Iterable[str], why: str) -> Iterator[Check]:
    """Checks that make no sense here."""
    for name in names:
        yield Check(name=name, outcome=Outcome.SKIPPED, summary=why)


def count(number: int, noun: str) -> str:
    """A number of things.

    >>> count(1, "task"), count(2, "task")
    ('1 task', '2 tasks')
    """
    return f"{number} {noun}{'s' * (number != 1)}"


@contextlib.contextmanager
def clock(check: Check) -> Iterator[None]:
    """Take the time of what is inside the `with` block."""
    started = time.perf_counter()
    try:
        yield
    finally:
        check.seconds = time.perf_counter() - started


def _decoded(item: bytes) -> list[Json]:
    found = msgspec.json.decode(item)
    return found if isinstance(found, list) else [found]


def regions(predictions: Iterable[list[Json]]) -> int:
    """How many regions predictions hold."""
    return sum(len(prediction["result"]) for item in predictions for prediction in item)


_VOLATILE = ("id", "from_id", "to_id", "parentID", "model_version", "created_at")


def _steady(value: Any) -> Any:
    """Without what is new each time."""
    if isinstance(value, dict):
        return {key: _steady(part) for key, part in value.items() if key not in _VOLATILE}
    return [_steady(part) for part in value] if isinstance(value, list) else value


def difference(found: list[list[Json]], expected: list[list[Json]]) -> str:
    """Where predictions differ; empty when they are about equal."""
    try:
        compare_nested_structures(_steady(found), _steady(expected), rel=1e-3, abs=1e-3)
    except AssertionError as error:
        return str(error).removeprefix("[0][0].")
    return ""
