"""The instances of the author's class: constructed when first asked for, then kept.

Runs in a worker, in the trainer, or in the calling process; never in the web process. Does not call the author's
methods.
"""

from __future__ import annotations

import contextlib
import logging
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from ..errors import LoadError, one_line
from ..instance import signatures
from ..instance.state import InstanceState, prepared, state_of
from ..settings import Settings
from ..store import projects, versions
from ..store.database import Database
from ..store.projects import Project
from ..store.versions import Version

_log = logging.getLogger(__name__)

_PROJECT_AGE = 1.0
"""Seconds that what is known of a project is used before the store is asked again."""


class _Kept:
    """The instances of one (project, labeling config, version): one, or as many as there are threads."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make
        self._idle: list[Any] = []
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def borrow(self, shared: bool, loading: Callable[[bool], None]) -> Iterator[Any]:
        """An instance for one caller; with `shared` all callers get the same one."""
        if shared:
            if not self._idle:
                loading(False)
                with self._lock:
                    if not self._idle:
                        self._idle.append(self._make())
                loading(True)
            yield self._idle[0]
            return
        with self._lock:
            instance = self._idle.pop() if self._idle else None
        if instance is None:
            loading(False)
            instance = self._make()
            loading(True)
        try:
            yield instance
        finally:
            with self._lock:
                self._idle.append(instance)


class Instances:
    """Makes instances and keeps those that predict, least recently used out first."""

    def __init__(
        self, model_class: type[Any], kwargs: dict[str, Any], settings: Settings, database: Database
    ) -> None:
        self._model_class = model_class
        self._kwargs = kwargs
        self._settings = settings
        self._database = database
        self._kept: OrderedDict[tuple[str, str, bytes, int], _Kept] = OrderedDict()
        self._projects: dict[str, tuple[float, Project | None]] = {}
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def borrow(
        self,
        project_id: str,
        label_config: str | None,
        number: int,
        loading: Callable[[bool], None] = lambda _over: None,
    ) -> Iterator[Any]:
        """The kept instance of a version, for as long as the `with` block runs; constructed if there is none yet.

        Args:
            project_id: the project.
            label_config: None for the one known.
            number: the version.
            loading: told when an instance has to be constructed first (False), and when it is (True).

        Raises:
            LoadError: the author's constructor failed.
        """
        project = self._project(project_id)
        label_config = label_config or (project.label_config if project else "")
        # setup() may have built the model from the extra params; a new address or token only has to be known.
        extra_params = msgspec.json.encode(project.extra_params if project else {})
        key = (project_id, label_config, extra_params, number)
        with self._lock:
            kept = self._kept.get(key)
            if kept is None:
                kept = _Kept(lambda: self.construct(project_id, label_config, number))
                self._kept[key] = kept
            self._kept.move_to_end(key)
            while len(self._kept) > self._settings.max_loaded_models:
                self._kept.popitem(last=False)
        with kept.borrow(signatures.is_concurrent(self._model_class.predict), loading) as instance:
            if project is not None:
                state_of(instance).follow(project)
            yield instance

    def look_again(self, project_id: str) -> None:
        """Ask the store about a project at the next opportunity: it has just been connected anew."""
        self._projects.pop(project_id, None)

    def construct(self, project_id: str, label_config: str | None, number: int) -> Any:
        """A fresh instance of a version, kept by nobody.

        Raises:
            LoadError: the author's constructor failed, or there is no such version.
        """
        project = self._database.read(projects.get, project_id)
        if project is None:
            project = self._database.write(projects.save, project_id, label_config=label_config)
        version = self._database.read(versions.get, project_id, number)
        if version is None:
            raise LoadError(f"Version {number} of project {project_id} does not exist.")
        if label_config:
            project = msgspec.structs.replace(project, label_config=label_config)
        return self.make(self.state(project, version))

    def state(self, project: Project, version: Version) -> InstanceState:
        """What an instance of a version will know."""
        return InstanceState(project, version, self._settings, self._database)

    def make(self, state: InstanceState) -> Any:
        """A fresh instance with a state.

        Raises:
            LoadError: the author's constructor failed.
        """
        available = {
            "project_id": state.project.id,
            "label_config": state.project.label_config or None,
            "train_output": state.train_output,
            "hostname": state.hostname,
            "access_token": state.access_token,
            **self._kwargs,
        }
        name = self._model_class.__name__
        started = time.perf_counter()
        try:
            with prepared(state):
                arguments = signatures.accepted(self._model_class.__init__, available)
                instance = self._model_class(**arguments)
        except (Exception, SystemExit) as error:
            raise LoadError(f"{name} could not be constructed: {one_line(error)}") from error
        seconds = time.perf_counter() - started
        project = state.project.id or "(none)"
        _log.info("Loaded %s for project %s, version %s, in %.2f s", name, project, state.version.name, seconds)
        return instance

    def _project(self, project_id: str) -> Project | None:
        """What is known of a project, no older than a moment: Label Studio may connect it anew at any time."""
        read_at, project = self._projects.get(project_id, (-math.inf, None))
        if time.monotonic() - read_at > _PROJECT_AGE:
            project = self._database.read(projects.get, project_id)
            self._projects[project_id] = time.monotonic(), project
        return project
