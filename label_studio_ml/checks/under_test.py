"""A backend while it is tried out: loaded, asked and made to learn, in the calling process.

The author's class runs in the same `ModelHost` and the same training as on a server, over a store in a folder that
is gone afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from label_studio_sdk.label_interface import LabelInterface
from sqlalchemy import Connection

from ..errors import LoadError, PredictError
from ..processes import messages
from ..settings import Settings
from ..stage import samples
from ..stage.api import Stage
from ..store import events, jobs, projects, transitions, versions
from ..store.database import Database
from ..train import training
from ..wire import bodies, records
from .plan import Plan
from .report import Problem
from .watched import Call, WatchedHost, detail, where

Json = dict[str, Any]
_OWNER = "test"


class Place(NamedTuple):
    """Where a backend is tried out."""

    stage: Stage
    """The Label Studio that is played."""
    settings: Settings
    database: Database


class Asked(msgspec.Struct, frozen=True):
    """What came of a request for predictions."""

    predictions: list[list[Json]]
    """Those of each task."""
    problems: list[messages.Problem]
    """Why some have none."""
    calls: list[Call]
    """The calls of predict() that it took."""

    @property
    def seconds(self) -> float:
        """How long the author's code took."""
        return sum(call.seconds for call in self.calls)

    @property
    def raised(self) -> BaseException | None:
        """The first thing that predict() raised."""
        return next((call.error for call in self.calls if call.error is not None), None)


class Learned(msgspec.Struct, frozen=True):
    """What came of a job."""

    outcome: messages.Outcome
    seconds: float
    """How long fit() took."""
    error: BaseException | None
    """What it raised."""

    @property
    def failure(self) -> str:
        """Why it did not work; empty when it did."""
        if isinstance(self.outcome, messages.Fitted):
            return ""
        return self.outcome.error if isinstance(self.outcome, messages.Failed) else self.outcome.reason


class BackendUnderTest:
    """One project of a backend. Problems are described with the author's own lines."""

    tasks: list[Json]
    """What it is asked about."""
    version: str
    """The name of the version that predicts; empty before the first is loaded."""

    def __init__(
        self, host: WatchedHost, place: Place, plan: Plan, interface: LabelInterface, folder: Path | None
    ) -> None:
        """Make tasks where the plan has none.

        Args:
            host: runs the author's class.
            place: where it is tried out.
            plan: what it is tried with.
            interface: the SDK's view of the labeling config.
            folder: that of the author's code, if it has one.
        """
        self.host, self.stage, self.plan, self.interface = host, place.stage, plan, interface
        self.version = ""
        self._settings, self._database, self._folder = place.settings, place.database, folder
        self._project, self._number = plan.project_id, 0
        if plan.tasks:
            self.tasks = [records.completed(task, number) for number, task in enumerate(plan.tasks, 1)]
        else:
            self.tasks = samples.tasks(interface, plan.count, self.stage.publish, self._project)
        self.stage.show(self.tasks)

    @property
    def has_new_version(self) -> bool:
        """Whether a job has made a version."""
        return self._number > 0

    def load(self) -> None:
        """Connect the project, and construct the author's class.

        Raises:
            BackendError: that does not work.
        """
        config, hostname = self.plan.label_config.xml, self.plan.hostname or self.stage.hostname
        token = self.plan.access_token or self.stage.token

        def save(connection: Connection) -> None:
            projects.save(connection, self._project, label_config=config, hostname=hostname, access_token=token)

        self._database.write(save)
        self.host.describe()
        self.version = self.host.warm(self._project, config, 0)

    def take_over(self) -> None:
        """Let the newest version predict.

        Raises:
            LoadError: it does not load; the one before goes on predicting.
        """
        try:
            self.version = self.host.warm(self._project, None, self._number)
        except LoadError:
            self._number = 0
            raise
        self._database.write(versions.activate, self._project, self._number)

    def ask(self, tasks: Sequence[Json], context: Json | None = None) -> Asked:
        """One request for predictions."""
        before = len(self.host.calls)
        params = msgspec.json.encode(bodies.params(context))
        encoded = [msgspec.json.encode(task) for task in tasks]
        config = self.plan.label_config.xml
        answer = self.host.predict(
            messages.Predict(self._project, config, self._number, encoded, [len(encoded)], params)
        )
        return Asked([_decoded(item) for item in answer.results], answer.problems, self.host.calls[before:])

    def learn(self, event: Json) -> Learned:
        """What the scheduler and the trainer of a server do with an event, at once."""
        action, before = event["action"], len(self.host.fits)

        def claimed(connection: Connection) -> str:
            job_id = jobs.add(connection, self._project, action)
            event_id = events.add(connection, self._project, action, msgspec.json.encode(event))
            events.assign(connection, [event_id], job_id)
            transitions.claim(connection, _OWNER, 3600.0)
            return job_id

        job_id = self._database.write(claimed)
        outcome = training.run(self.host, self._settings, self._database, job_id, _OWNER)
        if isinstance(outcome, messages.Fitted) and outcome.version is not None:
            self._number = outcome.version
        fits = self.host.fits[before:]
        return Learned(outcome, sum(fit.seconds for fit in fits), fits[-1].error if fits else None)

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
            where=where(error, self._folder),
            detail=detail(error, self._folder),
        )


def _decoded(item: bytes) -> list[Json]:
    found = msgspec.json.decode(item)
    return found if isinstance(found, list) else [found]
