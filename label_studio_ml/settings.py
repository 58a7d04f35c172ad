"""Every setting of the server, with its name, environment variables, default and meaning.

This module alone reads the environment. `docs/settings.md` is generated from it.
"""

from __future__ import annotations

import base64
import dataclasses
import ipaddress
import math
import os
import re
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from .errors import SettingError

_UNITS = {"": 1, "B": 1, "K": 2**10, "KB": 2**10, "M": 2**20, "MB": 2**20, "G": 2**30, "GB": 2**30}
_SECRET = re.compile(
    r"(?:^|[_-])(?:token|secret|passw(?:or)?d|pass|(?:api|access|private|secret)[_-]?key|credentials?)$",
    re.IGNORECASE,
)
_TRUE, _FALSE = {"1", "true", "yes", "on"}, {"0", "false", "no", "off", ""}


def _setting(default: Any, help_text: str, *env: str, kind: str = "", shown: str = "") -> Any:
    """A field; `kind` is `size` or `duration` where a unit may follow, `shown` the default as people read it."""
    return field(default=default, metadata={"help": help_text, "env": env, "kind": kind, "shown": shown})


def env_names(spec: dataclasses.Field[Any]) -> tuple[str, ...]:
    """The environment variables of a setting, the strongest first: our own, then those of older packages."""
    return (f"LABEL_STUDIO_ML_{spec.name.upper()}", *spec.metadata["env"])


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How one server runs. Build it with `load`, which also reads the environment."""

    host: str = _setting("0.0.0.0", "Address to listen on.")  # noqa: S104 - containers need it
    port: int = _setting(9090, "Port to listen on.", "PORT")
    model_dir: Path = _setting(
        Path("model-data"),
        "Folder for everything the server keeps: the database, versions, job folders. "
        "Default: `model-data` inside the backend folder.",
        "MODEL_DIR",
    )
    database_url: str = _setting("", "SQLAlchemy URL of the store. Default: an SQLite file in the model folder.")
    basic_auth_user: str = _setting(
        "", "User name Label Studio must send.", "BASIC_AUTH_USER", "ML_SERVER_BASIC_AUTH_USER"
    )
    basic_auth_pass: str = _setting(
        "", "Password Label Studio must send.", "BASIC_AUTH_PASS", "ML_SERVER_BASIC_AUTH_PASS"
    )
    webhook_secret: str = _setting(
        "",
        "Accept a webhook without basic auth when its `X-Webhook-Secret` header has this value. "
        "Label Studio sends no credentials with its webhooks, but lets you add headers to them.",
    )
    label_studio_url: str = _setting(
        "", "Label Studio's address; overrides the one it sends.", "LABEL_STUDIO_URL", "LABEL_STUDIO_HOST"
    )
    label_studio_api_key: str = _setting(
        "",
        "Label Studio's API token; overrides the one it sends.",
        "LABEL_STUDIO_API_KEY",
        "LABEL_STUDIO_ACCESS_TOKEN",
    )
    workers: int = _setting(1, "Processes that answer predictions.", "WORKERS")
    threads: int = _setting(
        1, "Calls of predict() at once in one worker, each on its own instance of the class.", "THREADS"
    )
    max_concurrent: int = _setting(64, "Calls of an `async def predict()` at once in one worker, on one instance.")
    devices: str = _setting(
        "",
        "GPUs, as in `0,1`: each worker sees one of them (CUDA_VISIBLE_DEVICES), in turn.",
    )
    max_requests_per_worker: int = _setting(
        0, "Requests after which a worker is replaced by a fresh one; 0 for never."
    )
    max_worker_memory: int = _setting(
        0,
        "Memory beyond which a worker is replaced by a fresh one (`2G`); 0 for any amount.",
        kind="size",
        shown="0",
    )
    unload_after: float = _setting(
        0.0,
        "Time without a request after which the workers end, and free memory and GPU; the next request brings them "
        "back. 0 for never.",
        kind="duration",
    )
    preload: str = _setting(
        "", "Labeling config (a file) for which the model is loaded at the start, before there is any request."
    )
    reload: bool = _setting(
        False, "Load the author's code again when a file in its folder changes; code that fails is not taken over."
    )
    max_batch_size: int = _setting(64, "Most tasks handed to one call of predict(); larger requests are cut.")
    max_loaded_models: int = _setting(
        8, "Instances of the class a worker keeps loaded; least recently used go first."
    )
    max_body_size: int = _setting(
        256 * 2**20,
        "Largest request body, also after decompression (`256MB`, `1G`).",
        kind="size",
        shown="256MB",
    )
    request_timeout: float = _setting(
        60.0,
        "Time a request may take to arrive; large ones get a second more for every 64 KB.",
        kind="duration",
        shown="60s",
    )
    max_connections: int = _setting(512, "Connections of clients at once; more are refused.")
    predict_deadline: float = _setting(
        90.0,
        "Time after which a request is answered with what is ready; the rest is finished and stored in Label "
        "Studio, which itself waits 100 s.",
        kind="duration",
        shown="90s",
    )
    predict_timeout: float = _setting(
        600.0,
        "Longest a call of predict() may take, loading not counted; then its process is ended.",
        kind="duration",
        shown="10m",
    )
    max_queued_tasks: int = _setting(
        100_000, "Tasks that may wait for a worker; requests with more are refused until some are done."
    )
    strict: bool = _setting(False, "Answer with an error instead of leaving out a task whose prediction fails.")
    train_on: str = _setting(
        "",
        "`events`, `start` (only the Start training button) or `never`. "
        "Default: TRAIN_ON of the class, else `events`.",
    )
    train_every: int = _setting(
        0, "New annotations that start a training. Default: TRAIN_EVERY of the class, else every event."
    )
    train_min_annotations: int = _setting(
        0, "Annotations a project must have first. Default: TRAIN_MIN_ANNOTATIONS of the class, else none."
    )
    train_debounce: float | None = _setting(
        None,
        "Quiet time after an event before fit(annotations) starts. Default: TRAIN_DEBOUNCE of the class, else 2s.",
        kind="duration",
    )
    fit_timeout: float = _setting(
        0.0, "Time after which fit() is ended and its job failed; 0 for no limit.", kind="duration"
    )
    trainers: int = _setting(1, "Projects that may be trained at the same time, each in a process of its own.")
    trainer_nice: int = _setting(10, "How far the trainer stands back for predictions: niceness, 0 to 19.")
    trainer_cores: int = _setting(
        0,
        "Processor cores that fit() may use (Linux). Default: all but one, which stays free for predictions.",
    )
    trainer_idle: float = _setting(
        60.0,
        "Time after which the trainer process ends when there is nothing to train, and frees its memory.",
        kind="duration",
        shown="60s",
    )
    promote_if: str = _setting(
        "",
        "What a new version's metrics must satisfy before it predicts, as in `f1>=active, loss<0.5`; "
        "otherwise it is kept aside.",
    )
    keep_versions: int = _setting(
        0, "Trained versions to keep of each project, the active one always; 0 keeps all."
    )
    keep_events: float = _setting(
        30 * 86400.0,
        "Time for which processed events, and jobs that left no version, are kept.",
        kind="duration",
        shown="30d",
    )
    media_dir: str = _setting(
        "", "Folder of the media fetched for tasks. Default: `media-cache` in the model folder."
    )
    media_cache_size: int = _setting(
        10 * 2**30,
        "Most that fetched media take up on disk; least recently used go first.",
        kind="size",
        shown="10G",
    )
    max_media_size: int = _setting(2 * 2**30, "Largest single file that is fetched.", kind="size", shown="2G")
    media_timeout: float = _setting(
        90.0, "Time that fetching one file may take, retries included.", kind="duration", shown="90s"
    )
    allow_private_media: str = _setting(
        "",
        "Hosts and networks on this machine or in private networks from which media may be fetched, as in "
        "`minio, 10.0.0.0/8`; `all` for every one. Label Studio's own address needs no mention.",
    )
    local_files_document_root: str = _setting(
        "",
        "Folder that Label Studio serves local files from, where it is reachable from here: "
        "media below it are read from disk.",
        "LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT",
        "LOCAL_FILES_DOCUMENT_ROOT",
    )
    verify_ssl: bool = _setting(
        True,
        "Check the certificates of Label Studio and of hosts with media.",
        "LABEL_STUDIO_VERIFY_SSL",
        "VERIFY_SSL",
    )
    shutdown_timeout: float = _setting(
        30.0,
        "Time that requests in flight are given to finish when the server stops.",
        kind="duration",
        shown="30s",
    )
    log_level: str = _setting("INFO", "DEBUG, INFO, WARNING or ERROR.", "LOG_LEVEL")
    debug: bool = _setting(False, "Log at DEBUG and show full causes of failures in the log.")

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


def secrets(settings: Settings, environ: Mapping[str, str] | None = None) -> list[str]:
    """Every credential in the settings and in the environment, in the forms in which it may show up in a log."""
    environ = os.environ if environ is None else environ
    found = [settings.basic_auth_pass, settings.webhook_secret, settings.label_studio_api_key]
    login = f"{settings.basic_auth_user}:{settings.basic_auth_pass}"
    if settings.basic_auth_pass:
        found += [base64.b64encode(login.encode(encoding, "replace")).decode() for encoding in ("utf-8", "latin-1")]
    if password := re.search(r"://[^/\s:@]*:([^/\s]+)@", settings.database_url):
        found += [password[1], unquote(password[1])]
    return [*filter(None, found), *named_secrets(environ)]


def named_secrets(mapping: Mapping[str, Any]) -> list[str]:
    """The values whose names say that they are credentials.

    >>> named_secrets({"HF_TOKEN": "hf_1", "tokenizer": "fast", "n": 3})
    ['hf_1']
    """
    return [value for name, value in mapping.items() if isinstance(value, str) and value and _SECRET.search(name)]


def size(text: str) -> int:
    """Read a number of bytes.

    >>> size("256MB"), size("1G"), size("1000")
    (268435456, 1073741824, 1000)
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*", text)
    unit = _UNITS.get(match[2].upper()) if match else None
    if match is None or unit is None:
        raise SettingError(f"{text!r} is not a size. Write a number of bytes, or one like 256MB or 1G.")
    return int(float(match[1]) * unit)


def duration(text: str) -> float:
    """Read a time in seconds.

    >>> duration("2s"), duration("1.5m"), duration("30d"), duration("10")
    (2.0, 90.0, 2592000.0, 10.0)
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([smhd]?)\s*", text.lower())
    if match is None:
        raise SettingError(
            f"{text!r} is not a time. Write seconds, or a number with s, m, h or d, as in 90s or 30d."
        )
    return float(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}[match[2]]


@dataclass(frozen=True)
class PrivateHosts:
    """Where media may come from although it is on this machine or in a private network."""

    everything: bool
    names: frozenset[str]
    networks: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]


def private_hosts(text: str) -> PrivateHosts:
    """Read names, addresses and networks, with commas or spaces between them.

    Raises:
        SettingError: one of them is neither.

    >>> private_hosts("minio, 10.0.0.0/8").names
    frozenset({'minio'})
    """
    names, networks = set(), []
    words = text.replace(",", " ").split()
    for word in words:
        try:
            networks.append(ipaddress.ip_network(word))
        except ValueError:
            if not re.fullmatch(r"[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?", word) or (
                word[-1].isdigit() and "." in word
            ):
                raise SettingError(
                    f"allow_private_media: {word!r} is no host name, address or network. "
                    "Write them as in `minio, 10.0.0.0/8`, or `all`."
                ) from None
            names.add(word.lower())
    return PrivateHosts("all" in names, frozenset(names), tuple(networks))


def user_media_folder() -> Path:
    """Where media are kept when no server runs: the user's cache folder."""
    if base := os.environ.get("XDG_CACHE_HOME"):
        return Path(base).absolute() / "label-studio-ml" / "media"
    caches = "Library/Caches" if sys.platform == "darwin" else ".cache"
    try:
        return Path.home() / caches / "label-studio-ml" / "media"
    except RuntimeError:  # no home folder, as in some containers
        return Path(tempfile.gettempdir()) / f"label-studio-ml-{os.getuid()}" / "media"


def label_studio_uploads() -> Path:
    """Where a Label Studio that was started by this user keeps uploads, unless it was told otherwise."""
    if base := os.environ.get("LABEL_STUDIO_BASE_DATA_DIR"):
        return Path(base).absolute() / "media" / "upload"
    data = "~/Library/Application Support" if sys.platform == "darwin" else "~/.local/share"
    folder = os.environ.get("XDG_DATA_HOME") or os.path.expanduser(data)  # noqa: PTH111 - never fails
    return Path(folder) / "label-studio" / "media" / "upload"


def of_environment() -> Settings:
    """The settings of code that no server runs: those of the environment, where they make sense."""
    try:
        return load()
    except SettingError:  # a wrong port, say, is the business of servers alone
        return Settings()


def _convert(name: str, text: str, default: Any, kind: str) -> Any:
    try:
        if isinstance(default, bool):
            word = text.strip().lower()
            if word not in _TRUE | _FALSE:
                raise ValueError(text)
            return word in _TRUE
        if kind:
            return size(text) if kind == "size" else duration(text)
        if isinstance(default, Path):
            return Path(text).expanduser()
        return type(default)(text)
    except ValueError:
        kind = {bool: "true or false", int: "a whole number", float: "a number"}[type(default)]
        raise SettingError(f"{name} must be {kind}, not {text!r}.") from None
    except SettingError as error:
        raise SettingError(f"{name}: {error}") from None
    except RuntimeError:
        raise SettingError(f"{name}: there is no home folder for {text!r}.") from None


def _check(settings: Settings) -> None:
    for name in (
        "workers",
        "threads",
        "trainers",
        "max_batch_size",
        "max_concurrent",
        "max_loaded_models",
        "max_queued_tasks",
        "max_body_size",
        "media_cache_size",
        "max_media_size",
        "max_connections",
    ):
        if getattr(settings, name) < 1:
            raise SettingError(f"{name} must be at least 1, not {getattr(settings, name)}.")
    for name in (
        "predict_deadline",
        "predict_timeout",
        "trainer_idle",
        "media_timeout",
        "shutdown_timeout",
        "request_timeout",
    ):
        if not 0 < getattr(settings, name) < math.inf:
            raise SettingError(f"{name} must be more than 0 seconds, and not endless.")
    if not 0 <= settings.port <= 65535:
        raise SettingError(f"port must be between 0 and 65535, not {settings.port}.")
    if settings.train_on not in {"", "events", "start", "never"}:
        raise SettingError(f"train_on must be events, start or never, not {settings.train_on!r}.")
    for name in (
        "max_requests_per_worker",
        "max_worker_memory",
        "unload_after",
        "trainer_cores",
        "train_every",
        "train_min_annotations",
        "train_debounce",
        "keep_versions",
        "fit_timeout",
        "keep_events",
    ):
        value = getattr(settings, name)
        if value is not None and not 0 <= value < math.inf:
            raise SettingError(f"{name} must be 0 or more, not {value}.")
    if not 0 <= settings.trainer_nice <= 19:
        raise SettingError(f"trainer_nice must be between 0 and 19, not {settings.trainer_nice}.")
    if settings.log_level not in {"DEBUG", "INFO", "WARNING", "ERROR"}:
        raise SettingError(f"log_level must be DEBUG, INFO, WARNING or ERROR, not {settings.log_level!r}.")
    _check_credentials(settings)
    private_hosts(settings.allow_private_media)


def _check_credentials(settings: Settings) -> None:
    if bool(settings.basic_auth_user) != bool(settings.basic_auth_pass):
        raise SettingError("Basic auth needs both a user and a password; only one of them is set.")
    if ":" in settings.basic_auth_user:
        raise SettingError("basic_auth_user must not have a colon: basic auth ends the user's name with one.")
    if settings.webhook_secret and not settings.auth_required:
        raise SettingError(
            "webhook_secret protects nothing by itself: it stands in for user and password, so set "
            "basic_auth_user and basic_auth_pass, too."
        )
    if settings.webhook_secret != settings.webhook_secret.strip() or not settings.webhook_secret.isprintable():
        raise SettingError("webhook_secret must be text that a header can carry: one line, no spaces around it.")


def load(
    environ: Mapping[str, str] | None = None, *, default_model_dir: Path | None = None, **given: Any
) -> Settings:
    """Settle every setting: what is given (and not None), else the environment, else the default.

    Args:
        environ: the environment; the process's own by default.
        default_model_dir: the default of `model_dir`.
        **given: settings by name.

    Raises:
        SettingError: a value makes no sense; the message names the setting.
    """
    environ = os.environ if environ is None else environ
    values: dict[str, Any] = {} if default_model_dir is None else {"model_dir": default_model_dir}
    for spec in dataclasses.fields(Settings):
        if given.get(spec.name) is not None:
            name, value = spec.name, given[spec.name]
        else:
            env = next((env for env in env_names(spec) if environ.get(env)), None)
            if env is None:
                continue
            name, value = f"The environment variable {env}", environ[env]
        kind = spec.metadata["kind"]
        values[spec.name] = _convert(name, value, spec.default, kind) if isinstance(value, str) else value
    if "log_level" in values:
        level = values["log_level"].upper()
        values["log_level"] = {"WARN": "WARNING", "CRITICAL": "ERROR"}.get(level, level)
    settings = Settings(**values)
    settings = dataclasses.replace(settings, model_dir=Path(settings.model_dir).expanduser().absolute())
    if settings.debug:
        settings = dataclasses.replace(settings, log_level="DEBUG")
    _check(settings)
    return settings
