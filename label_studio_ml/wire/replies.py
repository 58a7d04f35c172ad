"""What replies look like: handlers return these structs, and the OpenAPI document is built from them.

A field that may be missing says so with `UnsetType`: it is left out of the JSON when it is not set. There are no
keys that are not declared here.
"""

from __future__ import annotations

from typing import Any, Literal, TypeVar

from msgspec import UNSET, Struct, UnsetType

T = TypeVar("T")

JobState = Literal["queued", "started", "finished", "failed", "cancelled"]
ModelState = Literal["loading", "ready", "failed", "unloaded"]


def known(value: T | None) -> T | UnsetType:
    """The value of a field that is left out where there is none."""
    return UNSET if value is None else value


class Answer(Struct, forbid_unknown_fields=True):
    """What all of them have in common."""


class Failure(Answer):
    """Every error."""

    error: str
    """What is wrong, where, and what to do, in a sentence."""


class Done(Answer):
    """Nothing more to say."""

    status: Literal["ok"]


# --- the state of the backend --------------------------------------------------------------------------------


class ModelHealth(Answer):
    """How the author's class is."""

    state: ModelState
    error: str | UnsetType = UNSET
    """Why it could not be loaded."""


class StoreHealth(Answer):
    """How the database is."""

    state: Literal["ok", "failed"]
    error: str | UnsetType = UNSET
    """Why the last event could not be stored."""


class LastProblem(Answer):
    """A task that got no prediction, or a training that failed."""

    time: str
    """As in 2026-01-31T12:00:00Z."""
    project: str
    task: str
    """Its id; empty where it is not about one task."""
    message: str
    reason: str | UnsetType = UNSET
    """Why the task got no prediction, in one word."""
    control: str | UnsetType = UNSET
    """The control tag that the prediction does not fit."""


class ServedProject(Answer):
    """A project and the version that predicts for it."""

    project: str
    model_version: str


class Health(Answer, kw_only=True):
    """The state of the backend; without credentials, where they are asked for, `status` and `model.state` alone."""

    status: Literal["UP"]
    model: ModelHealth
    model_class: str | UnsetType | None = UNSET
    """Its name, once it is loaded."""
    model_dir: str | UnsetType = UNSET
    """Where the server keeps everything."""
    version: str | UnsetType = UNSET
    """Of this program."""
    store: StoreHealth | UnsetType = UNSET
    problems: list[LastProblem] | UnsetType = UNSET
    """The last ones, oldest first."""
    queued_tasks: int | UnsetType = UNSET
    """Tasks that wait for a worker."""
    projects: list[ServedProject] | UnsetType = UNSET
    train_events: list[str] | UnsetType = UNSET
    """The events that reach fit(), once the class is loaded."""
    webhook_events: list[str] | UnsetType = UNSET
    """The events that Label Studio's webhook has to send."""


class State(Health, kw_only=True):
    """The state of the backend."""

    model_class: str | None
    model_dir: str
    version: str
    store: StoreHealth
    problems: list[LastProblem]
    queued_tasks: int
    projects: list[ServedProject]


# --- what Label Studio asks ----------------------------------------------------------------------------------


class Setup(Answer):
    """The version that predicts for the project."""

    model_version: str


class Predictions(Answer):
    """For each task, in order, one prediction, or a list of predictions; `[]` for none."""

    results: list[dict[str, Any] | list[dict[str, Any]]]


class Stored(Answer):
    """The event is on disk."""

    status: Literal["ok"]
    job: str | UnsetType = UNSET
    """The training that it is part of, if it is part of one."""


class Started(Answer):
    """The tasks are on disk."""

    job: str | UnsetType = UNSET
    """The training; missing when the class does not learn."""


class JobStatus(Answer):
    """A training as Label Studio asks for it. Times are seconds since 1970."""

    job: str
    job_status: JobState
    project: str
    created_at: float
    attempts: int
    started_at: float | UnsetType = UNSET
    finished_at: float | UnsetType = UNSET
    progress: float | UnsetType = UNSET
    """0 to 1, as far as fit() tells."""
    metrics: dict[str, float] | UnsetType = UNSET
    error: str | UnsetType = UNSET


class Training(Answer):
    """Whether something is being trained."""

    is_training: bool
    model_version: str
    job: JobStatus | UnsetType = UNSET
    """The newest one."""


class VersionNames(Answer):
    """Names, newest first."""

    versions: list[str]
    model_dir: str


# --- what people ask -----------------------------------------------------------------------------------------


class Job(Answer):
    """A training. Times are seconds since 1970."""

    job: str
    project: str
    state: JobState
    started_by: str
    """The action of the event that it began with."""
    created_at: float
    started_at: float | None
    finished_at: float | None
    due_at: float | None
    """When it may start, if it waits for more events."""
    attempts: int
    progress: float | None
    """0 to 1, as far as fit() tells."""
    metrics: dict[str, float]
    version: int | None
    """The number of what came out."""
    error: str | None


class JobDetails(Job):
    """One training."""

    error_detail: str | None
    """The whole error, with where it was raised."""


class Jobs(Answer):
    """The newest first."""

    jobs: list[Job]


class JobLog(Answer):
    """A part of a job's log."""

    text: str
    offset: int
    """Where the next part begins, in bytes: ask again from there as long as the job is active."""
    active: bool


class Projects(Answer):
    """Their ids."""

    projects: list[str]


class Version(Answer):
    """A version."""

    version: str
    """Its name."""
    number: int
    project: str
    active: bool
    """Whether it predicts."""
    state: str
    metrics: dict[str, float]
    trained_on: dict[str, Any]
    config_hash: str
    parent: int | None
    """Number of the version that its training started from."""
    created_at: float
    """Seconds since 1970."""
    duration: float | None
    """Seconds of its training."""
    workdir: str
    job: str | None
    error: str | None


class VersionDetails(Version):
    """One version with what it holds."""

    train_output: dict[str, Any]
    """What fit() returned."""
    values: dict[str, Any]
    """What the author's `set()` keeps for it."""


class Versions(Answer):
    """The newest first."""

    versions: list[Version]
