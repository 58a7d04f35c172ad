"""Every setting of the server: default, meaning, environment variables, bounds and group.

Options of `start`, variables and docs/settings.md come from here, in this order: inside a group, most used first.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from .bounds import AtLeast, Between, OneOf, SomeTime
from .spec import Group, setting, variables_of

_address = partial(setting, Group.ADDRESS)
_predicting = partial(setting, Group.PREDICTING)
_limit = partial(setting, Group.LIMITS)
_training = partial(setting, Group.TRAINING)
_versions = partial(setting, Group.VERSIONS)
_media = partial(setting, Group.MEDIA)
_label_studio = partial(setting, Group.LABEL_STUDIO)
_logging = partial(setting, Group.LOGGING)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How one server runs. Build it with `load`, which also reads the environment."""

    port: int = _address(9090, "Port to listen on.", "PORT", short="-p", bound=Between(0, 65535))
    host: str = _address("0.0.0.0", "Address to listen on.")  # noqa: S104 - containers need it
    basic_auth_user: str = _address(
        "", "User name that Label Studio must send.", "BASIC_AUTH_USER", "ML_SERVER_BASIC_AUTH_USER"
    )
    basic_auth_pass: str = _address(
        "", "Password that Label Studio must send.", "BASIC_AUTH_PASS", "ML_SERVER_BASIC_AUTH_PASS"
    )
    webhook_secret: str = _address(
        "",
        "Accept a webhook without basic auth when its `X-Webhook-Secret` header has this value. "
        "Label Studio sends no credentials with its webhooks, but lets you add headers to them.",
    )
    workers: int = _predicting(1, "Processes that answer predictions.", "WORKERS", bound=AtLeast(1))
    threads: int = _predicting(
        1,
        "Calls of predict() at once in one worker, each on its own instance of the class.",
        "THREADS",
        bound=AtLeast(1),
    )
    max_concurrent: int = _predicting(
        64, "Calls of an `async def predict()` at once in one worker, on one instance.", bound=AtLeast(1)
    )
    max_batch_size: int = _predicting(
        64, "Most tasks in one call of predict(); larger requests are split.", bound=AtLeast(1)
    )
    devices: str = _predicting(
        "", "GPUs, as in `0,1`: each worker sees one of them (CUDA_VISIBLE_DEVICES), in turn."
    )
    predict_deadline: float = _predicting(
        90.0,
        "Time after which a request is answered with the predictions that are ready; the rest is finished and "
        "stored in Label Studio. The default is a little less than Label Studio itself waits.",
        kind="duration",
        shown="90s",
        bound=SomeTime(),
    )
    predict_timeout: float = _predicting(
        600.0,
        "Longest a call of predict() may take, loading not counted; then its process is ended.",
        kind="duration",
        shown="10m",
        bound=SomeTime(),
    )
    strict: bool = _predicting(False, "Answer with an error instead of leaving out a task whose prediction fails.")
    preload: str = _predicting(
        "", "Labeling config (a file) for which the model is loaded at the start, before there is any request."
    )
    reload: bool = _predicting(
        False,
        "Load the author's code again when a file in its folder changes; if the new code fails, the old one stays.",
    )
    max_loaded_models: int = _predicting(
        8, "Instances of the class that a worker keeps loaded; least recently used go first.", bound=AtLeast(1)
    )
    unload_after: float = _predicting(
        0.0,
        "Time without a request after which the workers end, and free memory and GPU; the next request brings them "
        "back. 0 for never.",
        kind="duration",
        bound=AtLeast(0),
    )
    max_body_size: int = _limit(
        256 * 2**20,
        "Largest request body, also after decompression (`256MB`, `1G`).",
        kind="size",
        shown="256MB",
        bound=AtLeast(1),
    )
    max_queued_tasks: int = _limit(
        100_000,
        "Tasks that may wait for a worker; requests with more are refused until some are done.",
        bound=AtLeast(1),
    )
    max_connections: int = _limit(512, "Connections of clients at once; more are refused.", bound=AtLeast(1))
    max_worker_memory: int = _limit(
        0,
        "Memory beyond which a worker is replaced by a fresh one (`2G`); 0 for any amount.",
        kind="size",
        bound=AtLeast(0),
    )
    max_requests_per_worker: int = _limit(
        0, "Requests after which a worker is replaced by a fresh one; 0 for never.", bound=AtLeast(0)
    )
    request_timeout: float = _limit(
        60.0,
        "Time a request may take to arrive; large ones get a second more for every 64 KB.",
        kind="duration",
        shown="60s",
        bound=SomeTime(),
    )
    shutdown_timeout: float = _limit(
        30.0,
        "Time in which requests must finish when the server stops.",
        kind="duration",
        shown="30s",
        bound=SomeTime(),
    )
    train_on: str = _training(
        "",
        "`events`, `start` (only the Start training button) or `never`. "
        "Default: TRAIN_ON of the class, else `events`.",
        bound=OneOf("events", "start", "never", or_empty=True),
    )
    train_every: int = _training(
        0,
        "New annotations that start a training. Default: TRAIN_EVERY of the class, else every event.",
        bound=AtLeast(0),
    )
    train_min_annotations: int = _training(
        0,
        "Annotations a project must have first. Default: TRAIN_MIN_ANNOTATIONS of the class, else none.",
        bound=AtLeast(0),
    )
    train_debounce: float | None = _training(
        None,
        "Quiet time after an event before fit(annotations) starts. Default: TRAIN_DEBOUNCE of the class, else 2s.",
        kind="duration",
        bound=AtLeast(0),
    )
    fit_timeout: float = _training(
        0.0,
        "Time after which fit() is ended and its job failed; 0 for no limit.",
        kind="duration",
        bound=AtLeast(0),
    )
    trainers: int = _training(
        1, "Projects that may be trained at the same time, each in a process of its own.", bound=AtLeast(1)
    )
    trainer_cores: int = _training(
        0,
        "Processor cores that fit() may use (Linux). Default: all but one, which stays free for predictions.",
        bound=AtLeast(0),
    )
    trainer_nice: int = _training(
        10,
        "Niceness of the trainer, 0 to 19: how far predictions go before it on the processor.",
        bound=Between(0, 19),
    )
    trainer_idle: float = _training(
        60.0,
        "Time after which the trainer process ends when there is nothing to train, and frees its memory.",
        kind="duration",
        shown="60s",
        bound=SomeTime(),
    )
    model_dir: Path = _versions(
        Path("model-data"),
        "Folder for everything the server keeps: the database, versions, job folders. "
        "Default: `model-data` inside the backend folder.",
        "MODEL_DIR",
    )
    database_url: str = _versions("", "SQLAlchemy URL of the store. Default: an SQLite file in the model folder.")
    promote_if: str = _versions(
        "",
        "What a new version's metrics must satisfy before it predicts, as in `f1>=active, loss<0.5`; "
        "otherwise it is kept aside.",
    )
    keep_versions: int = _versions(
        0,
        "Trained versions to keep of each project, the active one always; 0 keeps all.",
        bound=AtLeast(0),
    )
    keep_events: float = _versions(
        30 * 86400.0,
        "Time for which processed events, and jobs that left no version, are kept.",
        kind="duration",
        shown="30d",
        bound=AtLeast(0),
    )
    allow_private_media: str = _media(
        "",
        "Hosts and networks on this machine or in private networks from which media may be fetched, as in "
        "`minio, 10.0.0.0/8`; `all` for every one. Label Studio's own address is always allowed.",
    )
    local_files_document_root: str = _media(
        "",
        "Folder that Label Studio serves local files from, where it is reachable from here: "
        "media below it are read from disk.",
        "LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT",
        "LOCAL_FILES_DOCUMENT_ROOT",
    )
    media_dir: str = _media("", "Folder for the media of tasks. Default: `media-cache` in the model folder.")
    media_cache_size: int = _media(
        10 * 2**30,
        "Most that fetched media take up on disk; least recently used go first.",
        kind="size",
        shown="10G",
        bound=AtLeast(1),
    )
    max_media_size: int = _media(
        2 * 2**30, "Largest single file that is fetched.", kind="size", shown="2G", bound=AtLeast(1)
    )
    media_timeout: float = _media(
        90.0,
        "Time that fetching one file may take, retries included.",
        kind="duration",
        shown="90s",
        bound=SomeTime(),
    )
    label_studio_url: str = _label_studio(
        "", "Label Studio's address; overrides the one it sends.", "LABEL_STUDIO_URL", "LABEL_STUDIO_HOST"
    )
    label_studio_api_key: str = _label_studio(
        "",
        "Label Studio's API token; overrides the one it sends.",
        "LABEL_STUDIO_API_KEY",
        "LABEL_STUDIO_ACCESS_TOKEN",
    )
    verify_ssl: bool = _label_studio(
        True,
        "Check the certificates of Label Studio and of hosts with media.",
        "LABEL_STUDIO_VERIFY_SSL",
        "VERIFY_SSL",
    )
    log_level: str = _logging(
        "INFO",
        "DEBUG, INFO, WARNING or ERROR.",
        "LOG_LEVEL",
        bound=OneOf("DEBUG", "INFO", "WARNING", "ERROR"),
    )
    debug: bool = _logging(False, "Log at DEBUG and show full causes of failures in the log.", short="-d")

    @property
    def database(self) -> str:
        """The SQLAlchemy URL in force."""
        return self.database_url or f"sqlite:///{self.model_dir / 'label-studio-ml.db'}"

    @property
    def media_folder(self) -> Path:
        """Where fetched media are kept."""
        return Path(self.media_dir).expanduser().absolute() if self.media_dir else self.model_dir / "media-cache"

    def job_log(self, job_id: str) -> Path:
        """The file with what a job printed and logged."""
        return self.model_dir / "jobs" / job_id / "log.txt"

    @property
    def auth_required(self) -> bool:
        """Whether clients must send credentials."""
        return bool(self.basic_auth_user or self.basic_auth_pass)


SPECS = dataclasses.fields(Settings)
"""Every setting with what is said about it."""


def env_names(name: str) -> list[str]:
    """The environment variables of a setting of this name, the strongest first."""
    return [variable for spec in SPECS if spec.name == name for variable in variables_of(spec)]
