"""What replies look like, for the OpenAPI document. Handlers write plain JSON; tests hold the two together."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

JobState = Literal["queued", "started", "finished", "failed", "cancelled"]
ModelState = Literal["loading", "ready", "failed", "unloaded"]


class Failure(msgspec.Struct):
    """Every error: what is wrong, where, and what to do, in a sentence."""

    error: str


class Done(msgspec.Struct):
    """Nothing more to say."""

    status: Literal["ok"]


class ModelHealth(msgspec.Struct):
    """How the author's class is; `error` when it could not be loaded."""

    state: ModelState
    error: str = ""


class StoreHealth(msgspec.Struct):
    """How the database is."""

    state: Literal["ok", "failed"]
    error: str = ""


class LastProblem(msgspec.Struct):
    """A task that got no prediction, or a training that failed. `time` as in 2026-01-31T12:00:00Z."""

    time: str
    project: str
    task: str
    message: str


class ServedProject(msgspec.Struct):
    """A project and the version that predicts for it."""

    project: str
    model_version: str


class State(msgspec.Struct):
    """The state of the backend."""

    status: Literal["UP"]
    model_class: str | None
    model_dir: str
    version: str
    model: ModelHealth
    store: StoreHealth
    problems: list[LastProblem]
    queued_tasks: int
    projects: list[ServedProject]


class Health(msgspec.Struct):
    """The same; without credentials, where they are asked for, `status` and `model.state` alone."""

    status: Literal["UP"]
    model: ModelHealth
    model_class: str | None = None
    model_dir: str = ""
    version: str = ""
    store: StoreHealth | None = None
    problems: list[LastProblem] = []
    queued_tasks: int = 0
    projects: list[ServedProject] = []


class Setup(msgspec.Struct):
    """The version that predicts for the project."""

    model_version: str


class Predictions(msgspec.Struct):
    """For each task, in order, one prediction, or a list of predictions; `[]` for none."""

    results: list[dict[str, Any] | list[dict[str, Any]]]


class Stored(msgspec.Struct):
    """The event is on disk; `job` is the training that it is part of."""

    status: Literal["ok"]
    job: str = ""


class Started(msgspec.Struct):
    """`job` is missing when the class does not learn."""

    job: str = ""


class JobStatus(msgspec.Struct):
    """A training as Label Studio asks for it. Times are seconds since 1970; `progress` is 0 to 1."""

    job: str
    job_status: JobState
    project: str
    created_at: float
    attempts: int
    started_at: float = 0.0
    finished_at: float = 0.0
    progress: float = 0.0
    metrics: dict[str, float] = {}
    error: str = ""


class Training(msgspec.Struct):
    """Whether something is being trained; `job`: the newest one."""

    is_training: bool
    model_version: str
    job: JobStatus | None = None


class VersionNames(msgspec.Struct):
    """Names, newest first."""

    versions: list[str]
    model_dir: str


class Job(msgspec.Struct):
    """A training. Times are seconds since 1970; `progress` is 0 to 1; `version`: the number of what came out."""

    job: str
    project: str
    state: JobState
    started_by: str
    created_at: float
    started_at: float | None
    finished_at: float | None
    due_at: float | None
    attempts: int
    progress: float | None
    metrics: dict[str, float]
    version: int | None
    error: str | None


class JobDetails(Job):
    """One training; `error_detail` is the whole error, with where it was raised."""

    error_detail: str | None


class Jobs(msgspec.Struct):
    """The newest first."""

    jobs: list[Job]


class JobLog(msgspec.Struct):
    """A part of a job's log; ask again from `offset`, in bytes, as long as the job is active."""

    text: str
    offset: int
    active: bool


class Projects(msgspec.Struct):
    """Their ids."""

    projects: list[str]


class Version(msgspec.Struct):
    """A version. `created_at` in seconds since 1970, `duration` in seconds."""

    version: str
    number: int
    project: str
    active: bool
    state: str
    metrics: dict[str, float]
    trained_on: dict[str, Any]
    config_hash: str
    parent: int | None
    created_at: float
    duration: float | None
    workdir: str
    job: str | None
    error: str | None


class VersionDetails(Version):
    """One version, with what fit() returned and what the author's `set()` keeps for it."""

    train_output: dict[str, Any]
    values: dict[str, Any]


class Versions(msgspec.Struct):
    """The newest first."""

    versions: list[Version]
