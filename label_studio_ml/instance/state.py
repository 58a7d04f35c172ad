"""What one instance of the author's class knows, and where its values live.

The host prepares a state before it constructs the author's class; the base class picks it up in `__new__`,
so that it is there whatever the author's `__init__` does.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from .. import logs
from .. import settings as settings_module
from ..media.cache import holding
from ..settings import Settings
from ..store import values, versions
from ..store.database import Database
from ..store.projects import Project
from ..store.versions import INITIAL_NAME, Version
from ..validation.checker import Checker, Interface
from ..wire.results import as_json
from .labels import LabelUse

if TYPE_CHECKING:
    from label_studio_sdk import LabelStudio

    from ..media.files import Media

OnProgress = Callable[[float | None, dict[str, float]], None]

_prepared: ContextVar[InstanceState | None] = ContextVar("prepared_state", default=None)
_at_work: ContextVar[InstanceState | None] = ContextVar("state_at_work", default=None)
_memory: dict[str, dict[str, Any]] = {}


class InstanceState:
    """Project, version and values of an instance.

    Without a database (an author constructs the class by hand) values live in this process only.
    """

    def __init__(
        self, project: Project, version: Version, settings: Settings, database: Database | None = None
    ) -> None:
        self.settings = settings
        self._database = database
        self.project = project
        """The project as Label Studio described it, with what the author's code has changed since."""
        self.version = version
        """The version that the instance serves; during fit() the one that it starts from."""
        self.workdir: str | None = version.workdir or None
        """Folder of that version; during fit() the folder of the version to be."""
        self.hostname = self.access_token = ""
        """Label Studio's address and a token for it."""
        self.annotated: Any = ()
        """During fit() of generation 1: the project's annotated tasks."""
        self.label_uses: dict[str, LabelUse] = {}
        """By control: what `build_label_map` was asked and answered."""
        self.checker: Checker | None = None
        """Checks predictions against the labeling config; None before the first, and without a config."""
        self._client: Any = None
        self._connected: tuple[str, str] | None = None
        self._on_progress: OnProgress | None = None
        self._pending: dict[str, Any] | None = None
        self.follow(project)

    def follow(self, project: Project) -> None:
        """Take over Label Studio's address and token if they have changed; what is set here goes before both."""
        if self._connected != (project.hostname, project.access_token):
            self._connected = project.hostname, project.access_token
            self.hostname = self.settings.label_studio_url or project.hostname
            self.access_token = self.settings.label_studio_api_key or project.access_token
            self._client = None
            logs.hide(self.access_token, *settings_module.named_secrets(self.extra_params))

    def change_project(self, **changes: Any) -> None:
        """Let the instance see its project otherwise than Label Studio described it; stores nothing."""
        self.project = msgspec.structs.replace(self.project, **changes)
        if "label_config" in changes:
            self.label_uses.clear()

    def connect_to(self, hostname: str | None = None, access_token: str | None = None) -> None:
        """Use another address of Label Studio, or another token for it."""
        self.hostname = self.hostname if hostname is None else hostname
        self.access_token = self.access_token if access_token is None else access_token

    def work_in(self, folder: str | None) -> None:
        """Use another folder as `workdir`."""
        self.workdir = folder

    def train(self, workdir: str, annotated: Any, on_progress: OnProgress) -> None:
        """Get ready for fit().

        Args:
            workdir: a fresh folder that will be kept with the version to be.
            annotated: the project's annotated tasks, for generation 1.
            on_progress: told how much is done (0 to 1, or None) and the numbers that the author shows.
        """
        self.workdir, self.annotated, self._on_progress = workdir, annotated, on_progress

    def progress(self, fraction: float | None, metrics: dict[str, float]) -> None:
        """Pass on how far fit() is; outside of it nobody listens."""
        if self._on_progress is not None:
            self._on_progress(fraction, metrics)

    def label_studio(self) -> LabelStudio | None:
        """The SDK client of this instance, made on first use; None without an address and a token."""
        if self._client is None and self.hostname and self.access_token:
            from ..label_studio.client import sdk_client

            self._client = sdk_client(self.hostname, self.access_token, verify=self.settings.verify_ssl)
        client: LabelStudio | None = self._client
        return client

    def checker_for(self, interface: Interface | None) -> Checker | None:
        """What checks against a labeling config; its rules are compiled when that changes.

        Args:
            interface: the labeling config as the SDK sees it; None without one.
        """
        if self.checker is None or self.checker.interface is not interface:
            self.checker = None  # also when the next line raises
            self.checker = None if interface is None else Checker(interface)
        return self.checker

    @property
    def is_standalone(self) -> bool:
        """Whether no server made it: an author constructed the class by hand."""
        return self._database is None

    def media(self, folder: str | None = None) -> Media:
        """What fetches the media of tasks, into a folder; default: that of the server, without one the user's."""
        from ..media import files

        if folder:
            return files.of(self.settings, Path(folder).absolute())
        by_hand = self.is_standalone and not self.settings.media_dir
        return files.of(
            self.settings, settings_module.user_media_folder() if by_hand else self.settings.media_folder
        )

    @property
    def extra_params(self) -> dict[str, Any]:
        """What was typed into "extra params" when the backend was connected."""
        return _copy(self.project.extra_params)  # the author's to change

    @property
    def train_output(self) -> dict[str, Any]:
        """What fit() returned for this version."""
        return _copy(self.version.train_output)  # the author's to change

    def get(self, key: str) -> Any:
        """A value; None when it is not set."""
        return self._find(key)[1]

    def has(self, key: str) -> bool:
        """Whether a value is set."""
        return self._find(key)[0]

    def set(self, key: str, value: Any) -> None:
        """Set a value: at once, or during fit() together with the version that comes out of it.

        Raises:
            PredictError: the value has no JSON form.
        """
        value = as_json(value)
        if self._pending is not None:
            self._pending[key] = value
        elif self._database is None:
            self._local[key] = value
        elif key == "model_version":
            self._adopt_name("" if value is None else str(value))
        else:
            database, project, number = self._database, self.project.id, self.version.number
            if self._find(key) != (True, value):
                database.write(values.put, project, number, {key: value})

    @contextlib.contextmanager
    def collecting(self) -> Iterator[dict[str, Any]]:
        """Hold back what is set from here on, and hand it out: fit() stores all of it or nothing."""
        self._pending = {}
        try:
            yield self._pending
        finally:
            self._pending = None

    @property
    def _local(self) -> dict[str, Any]:
        return _memory.setdefault(self.project.id, {})

    def _find(self, key: str) -> tuple[bool, Any]:
        if self._pending is not None and key in self._pending:
            return True, self._pending[key]
        if self._database is None:
            found = (key in self._local, self._local.get(key))
        else:
            project, number = self.project.id, self.version.number
            found = self._database.read(values.get, project, number, key)
        if not found[0] and key == "model_version":
            return True, self.version.name
        if not found[0] and key == "label_config" and self.project.label_config:
            return True, self.project.label_config
        return found

    def _adopt_name(self, name: str) -> None:
        """The author names the model: rename the version, unless setup() only repeats what it always says."""
        if not name or name in (self.version.base_name, self.version.name):
            return
        assert self._database is not None  # noqa: S101 - the caller looked
        version = self.version
        self.version = self._database.write(versions.rename, version, name)


def state_of(instance: Any) -> InstanceState:
    """The state of an instance of the author's class."""
    state: InstanceState = instance._state  # noqa: SLF001 - ours, hidden from authors
    return state


def standalone(project_id: str | None = None, label_config: str | None = None) -> InstanceState:
    """The state of an instance that no server made; Label Studio's address and token come from the environment."""
    project = Project(id=str(project_id or ""), label_config=label_config or "")
    version = Version(project_id=project.id, number=0, name=INITIAL_NAME)
    return InstanceState(project, version, settings_module.of_environment())


@contextlib.contextmanager
def at_work(state: InstanceState) -> Iterator[None]:
    """Let the author's code work for an instance: what it fetches meanwhile stays on disk until it is done."""
    token = _at_work.set(state)
    try:
        with holding():
            yield
    finally:
        _at_work.reset(token)


def working() -> InstanceState:
    """The state of the instance that the author's code works for right now; outside of a server a new one."""
    return _at_work.get() or standalone()


@contextlib.contextmanager
def prepared(state: InstanceState) -> Iterator[None]:
    """Let the next instance constructed in this context have `state`."""
    token = _prepared.set(state)
    try:
        yield
    finally:
        _prepared.reset(token)


def take_prepared() -> InstanceState:
    """The state meant for the instance that is being made right now."""
    return _prepared.get() or standalone()


def _copy(value: dict[str, Any]) -> dict[str, Any]:
    """A copy of JSON, however deeply it is nested: `copy.deepcopy` gives up where decoding does not."""
    copied: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(value))
    return copied
