"""The author's class at work: constructed, kept, asked for predictions, trained. Both generations.

Runs in a worker, in the trainer, or in the calling process; never in the web process. Knows nothing of
processes or sockets.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import inspect
import itertools
import logging
import math
import os
import threading
import time
import traceback
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from ..errors import FitError, InvalidPrediction, LoadError, PredictError, SourceError, one_line
from ..protocol import events, responses
from ..protocol.validation import Checker
from ..settings import Settings
from ..store import projects, versions
from ..store.database import Database
from ..store.projects import Project
from ..store.versions import Version
from . import labels, signatures
from .answers import Answer, Description, Group, Problem
from .state import InstanceState, at_work, prepared

_log = logging.getLogger(__name__)

_GIVE_UP_AFTER = 8
"""Single tasks that fail in a row, with none that succeeds, before the rest of a call is not tried one by one."""


_SHOWN = 200
"""Characters that are shown of a task's id; ten times as many of what is wrong with it."""

_PROJECT_AGE = 1.0
"""Seconds that what is known of a project is used before the store is asked again."""


class Trained(msgspec.Struct):
    """What fit() left: its result, what it set, and whether anything at all changed."""

    train_output: dict[str, Any]
    values: dict[str, Any]
    changed: bool


def training_rules(model_class: type[Any]) -> dict[str, Any]:
    """What the class says about when to train, as `Description` has it.

    Raises:
        SourceError: an attribute has a value that makes no sense.
    """
    said = {
        name: getattr(model_class, name, None)
        for name in ("TRAIN_ON", "TRAIN_EVERY", "TRAIN_MIN_ANNOTATIONS", "TRAIN_DEBOUNCE")
    }
    for name, value in said.items():
        whole = name in ("TRAIN_EVERY", "TRAIN_MIN_ANNOTATIONS")
        if name == "TRAIN_ON":
            fine, what = value in ("events", "start", "never"), "`events`, `start` or `never`"
        else:
            kind = int if whole else (int, float)
            fine = isinstance(value, kind) and not isinstance(value, bool) and 0 <= value < math.inf
            what = "a whole number, 0 or more" if whole else "a number of seconds, 0 or more"
        if value is not None and not fine:
            raise SourceError(f"{name} of {model_class.__name__} must be {what}, not {value!r}.")
    return {name.lower(): value for name, value in said.items()}


class _Loaded:
    """The instances of one (project, labeling config, version): one, or as many as there are threads."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make
        self._idle: list[Any] = []
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def borrow(self, shared: bool) -> Iterator[Any]:
        """An instance for one caller; with `shared` all callers get the same one."""
        if shared:
            with self._lock:
                if not self._idle:
                    self._idle.append(self._make())
            yield self._idle[0]
            return
        with self._lock:
            instance = self._idle.pop() if self._idle else None
        instance = self._make() if instance is None else instance
        try:
            yield instance
        finally:
            with self._lock:
                self._idle.append(instance)


class ModelHost:
    """Holds the author's class and its instances, least recently used out first."""

    def __init__(
        self, model_class: type[Any], kwargs: dict[str, Any], settings: Settings, database: Database
    ) -> None:
        self.model_class = model_class
        self._kwargs = kwargs
        self._settings = settings
        self._database = database
        self._loaded: OrderedDict[tuple[str, str, str, int], _Loaded] = OrderedDict()
        self._projects: dict[str, tuple[float, Project | None]] = {}
        self._told: set[tuple[str, int, str, tuple[str, ...]]] = set()
        self._lock = threading.Lock()
        self._mergeable = True
        self._batches = True
        self._loop: asyncio.AbstractEventLoop | None = None

    def describe(self) -> Description:
        """Look at the class without constructing it."""
        from .. import model

        learns = (
            self.model_class.fit is not model.LabelStudioMLBase.fit
            or self.model_class.process_event is not model.LabelStudioMLBase.process_event
            or model.registered_update() is not None
        )
        predict = model.registered_predict()
        if self.model_class.predict is not model.LabelStudioMLBase.predict or predict is None:
            predict = self.model_class.predict
        return Description(
            model_class=self.model_class.__name__,
            generation=signatures.fit_generation(self.model_class.fit),
            train_events=[str(event) for event in self.model_class.TRAIN_EVENTS],
            learns=learns,
            concurrent=inspect.iscoroutinefunction(predict),
            **training_rules(self.model_class),
        )

    # --- instances -------------------------------------------------------------------------------------

    def warm(self, project_id: str, label_config: str | None, number: int) -> str:
        """Have an instance ready and return the name of its version.

        Raises:
            LoadError: the author's constructor failed.
        """
        self._projects.pop(project_id, None)
        with self._instance(project_id, label_config, number) as instance:
            self._tell_labels(self._state(instance))
            return self._state(instance).version.name

    @contextlib.contextmanager
    def _instance(self, project_id: str, label_config: str | None, number: int) -> Iterator[Any]:
        project = self._project(project_id)
        label_config = label_config or (project.label_config if project else "")
        # setup() may have built the model from the extra params; a new address or token only has to be known.
        extra_params = project.extra_params if project else "{}"
        key = (project_id, hashlib.sha256(label_config.encode()).hexdigest(), extra_params, number)
        with self._lock:
            loaded = self._loaded.get(key)
            if loaded is None:
                loaded = _Loaded(lambda: self._construct(project_id, label_config, number))
                self._loaded[key] = loaded
            self._loaded.move_to_end(key)
            while len(self._loaded) > self._settings.max_loaded_models:
                self._loaded.popitem(last=False)
        shared = inspect.iscoroutinefunction(self.model_class.predict)
        with loaded.borrow(shared) as instance:
            if project is not None:
                self._state(instance).follow(project)
            yield instance

    def _project(self, project_id: str) -> Project | None:
        """What is known of a project, no older than a moment: Label Studio may connect it anew at any time."""
        read_at, project = self._projects.get(project_id, (-math.inf, None))
        if time.monotonic() - read_at > _PROJECT_AGE:
            project = self._database.read(lambda connection: projects.get(connection, project_id))
            self._projects[project_id] = time.monotonic(), project
        return project

    def _construct(self, project_id: str, label_config: str | None, number: int) -> Any:
        project = self._database.read(lambda connection: projects.get(connection, project_id))
        if project is None:
            project = self._database.write(
                lambda connection: projects.save(connection, project_id, label_config=label_config)
            )
        version = self._database.read(lambda connection: versions.get(connection, project_id, number))
        if version is None:
            raise LoadError(f"Version {number} of project {project_id} does not exist.")
        if label_config:
            project = msgspec.structs.replace(project, label_config=label_config)
        return self._make(InstanceState(project, version, self._settings, self._database))

    def _make(self, state: InstanceState) -> Any:
        available = {
            "project_id": state.project.id,
            "label_config": state.project.label_config or None,
            "train_output": state.train_output,
            "hostname": state.hostname,
            "access_token": state.access_token,
            **self._kwargs,
        }
        started = time.perf_counter()
        try:
            with prepared(state):
                arguments = signatures.accepted(self.model_class.__init__, available)
                instance = self.model_class(**arguments)
        except (Exception, SystemExit) as error:
            raise LoadError(f"{self.model_class.__name__} could not be constructed: {one_line(error)}") from error
        _log.info(
            "Loaded %s for project %s, version %s, in %.2f s",
            self.model_class.__name__,
            state.project.id or "(none)",
            state.version.name,
            time.perf_counter() - started,
        )
        return instance

    @staticmethod
    def _state(instance: Any) -> InstanceState:
        state: InstanceState = instance._state  # noqa: SLF001 - ours, hidden from authors
        return state

    def _tell_labels(self, state: InstanceState) -> None:
        """Log once which labels the model has and the config has not, and the other way round."""
        for control, use in list(state.label_uses.items()):
            key = (state.project.id, state.version.number, control, use.allowed)
            if key not in self._told:
                self._told.add(key)
                for level, remark in labels.remarks(control, use):
                    _log.log(level, "Project %s: %s", state.project.id or "(none)", remark)

    # --- predict ---------------------------------------------------------------------------------------

    def predict(
        self,
        project_id: str,
        label_config: str | None,
        number: int,
        groups: Sequence[Group],
        params: dict[str, Any],
    ) -> Answer:
        """Predict for the tasks of some requests, in one call where that works.

        A task whose prediction fails gets `[]` and a `Problem`; the others get theirs.

        Args:
            project_id: the project.
            label_config: the labeling config sent with the request; None for the one known.
            number: the version to use.
            groups: the requests; several only if none has a context.
            params: `context` and whatever else came with the request.

        Raises:
            LoadError: the instance cannot be constructed.
        """
        with self._instance(project_id, label_config, number) as instance:
            given = [[_decoded(task) for task in group.tasks] for group in groups]
            understood = [[task for task in tasks if isinstance(task, dict)] for tasks in given]
            sizes = [len(tasks) for tasks in understood if tasks]
            name = self._state(instance).version.name
            call = _Call(self, instance, params)
            interactive = bool(params.get("context"))
            with at_work(self._state(instance)):
                items = iter(call.run(list(itertools.chain(*understood)), sizes) if sizes else [])
            answer = Answer([], name, number, mergeable=self._mergeable)
            checker = None if interactive else self._checker(instance)
            for index, tasks in enumerate(given):
                encoded = []
                for task in tasks:
                    item = next(items) if isinstance(task, dict) else task
                    try:
                        encoded.append(self._finish(item, name, checker, interactive))
                    except Exception as error:  # noqa: BLE001 - one bad task costs one task
                        encoded.append(responses.NOTHING)
                        answer.problems.append(_problem(index, task, error))
                answer.results.append(encoded)
            answer.version = self._state(instance).version.name
            self._tell_labels(self._state(instance))
        for problem in answer.problems:
            _log.error("Task %s got no prediction: %s", problem.task or "(no id)", problem.message)
        return answer

    @staticmethod
    def _finish(item: Any, version: str, checker: Checker | None, interactive: bool) -> bytes:
        if isinstance(item, Exception):
            raise item
        predictions: list[dict[str, Any]] = responses.as_json(responses.as_predictions(item))
        responses.name_version(predictions, version)
        responses.check_score(predictions)
        if checker is not None:
            checker.check(predictions)
        if interactive:  # the labeling page wants exactly one prediction
            return responses.encode_item(None, predictions[:1] or [{"result": [], "model_version": version}])
        return responses.encode_item(item, predictions)

    def _checker(self, instance: Any) -> Checker | None:
        """What checks against the instance's labeling config; its rules are compiled when that changes."""
        state = self._state(instance)
        try:
            interface = instance.label_interface if instance.label_config else None
            if state.checker is None or state.checker.interface is not interface:
                state.checker = None if interface is None else Checker(interface)
        except Exception:  # noqa: BLE001 - a config the SDK cannot read cannot be checked against either
            return None
        return state.checker

    def call(self, instance: Any, tasks: list[dict[str, Any]], params: dict[str, Any]) -> list[Any]:
        """Call the author's predict() once: one item per task.

        Raises:
            WrongCount: another number of results came back.
        """
        extra = dict(params)
        extra.setdefault("context", None)
        returned = instance.predict(tasks, **signatures.accepted(instance.predict, extra))
        if inspect.isawaitable(returned):
            returned = asyncio.run_coroutine_threadsafe(_await(returned), self._event_loop()).result()
        return responses.normalise(returned, len(tasks))

    def _event_loop(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                threading.Thread(target=self._loop.run_forever, name="author-async", daemon=True).start()
            return self._loop

    # --- fit -------------------------------------------------------------------------------------------

    def fit(
        self,
        project_id: str,
        number: int,
        occurrences: Sequence[tuple[str, dict[str, Any]]],
        job_id: str,
        workdir: Path,
        annotated: Any,
        on_progress: Callable[[float | None, dict[str, float]], None] = lambda _fraction, _metrics: None,
    ) -> Trained:
        """Train a fresh instance of a version on some events.

        Args:
            project_id: the project.
            number: the version to start from.
            occurrences: (action, payload) of the events, oldest first.
            job_id: passed on to the author.
            workdir: a fresh folder that will be kept with the version.
            annotated: the project's annotated tasks, for generation 1.
            on_progress: told what the author's `self.progress()` says.

        Raises:
            LoadError: the instance cannot be constructed.
            FitError: the author's code raised.
        """
        instance = self._construct(project_id, None, number)
        state = self._state(instance)
        state.workdir, state.annotated, state.on_progress = str(workdir), annotated, on_progress
        generation = signatures.fit_generation(self.model_class.fit)
        folders = [self._settings.model_dir, workdir]
        before = self._fingerprint(folders)
        result: Any = None
        with state.collecting() as changes, at_work(state):
            try:
                if generation == 1:  # one call with the whole set, announced by the newest event
                    occurrences = occurrences[-1:]
                for action, data in occurrences:
                    for event, payload in events.deliveries(action, data, self.model_class.TRAIN_EVENTS):
                        returned = instance.process_event(event, payload, job_id, {"workdir": str(workdir)})
                        result = returned if returned is not None else result
            except (Exception, SystemExit) as error:
                raise FitError(f"fit() failed: {one_line(error)}") from error
            values = dict(changes)
        try:
            output = responses.as_json(result) if result else {}
        except PredictError as error:
            raise FitError(f"fit() returned something that is not JSON, so it cannot be kept: {error}") from error
        if not isinstance(output, dict):
            output = {"result": output}
        changed = bool(output) or bool(values) or self._fingerprint(folders) != before
        return Trained(output, values, changed)

    def _fingerprint(self, folders: Sequence[Path]) -> dict[str, tuple[int, int]]:
        """Size and time of every file an author may have written; our own files are left out."""
        ours = {
            self._settings.model_dir / "versions",
            self._settings.model_dir / "jobs",
            self._settings.media_folder,
        }
        found = {}
        for folder in folders:
            for root, names, files in os.walk(folder):
                names[:] = [name for name in names if name != "__pycache__" and Path(root, name) not in ours]
                for file in files:
                    if file.startswith("label-studio-ml."):
                        continue
                    with contextlib.suppress(OSError):
                        status = os.stat(os.path.join(root, file))  # noqa: PTH116, PTH118 - many files, hot
                        found[f"{root}/{file}"] = (status.st_size, status.st_mtime_ns)
        return found

    @property
    def evaluates(self) -> bool:
        """Whether the class measures itself with `evaluate(tasks)`."""
        return callable(getattr(self.model_class, "evaluate", None))

    def evaluate(
        self, project_id: str, parent: Version, trained: Trained, workdir: Path, tasks: Any
    ) -> dict[str, float]:
        """Let an instance of what fit() left measure itself; `{}` when the class does not do that.

        Raises:
            LoadError: such an instance cannot be constructed.
            FitError: the author's evaluate() raised, or returned something else than numbers by name.
        """
        if not self.evaluates:
            return {}
        project = self._database.read(lambda connection: projects.get(connection, project_id))
        assert project is not None  # noqa: S101 - it has just been trained
        output = msgspec.json.encode(trained.train_output).decode()
        version = msgspec.structs.replace(parent, train_output=output, workdir=str(workdir))
        state = InstanceState(project, version, self._settings, self._database)
        with state.collecting() as values, at_work(state):
            values.update(trained.values)
            instance = self._make(state)
            try:
                metrics = responses.as_json(instance.evaluate(tasks))
            except (Exception, SystemExit) as error:
                raise FitError(f"evaluate() failed: {one_line(error)}") from error
        if not isinstance(metrics, dict) or not all(
            isinstance(value, int | float) and math.isfinite(value) for value in metrics.values()
        ):
            raise FitError("evaluate() must return a dict of finite numbers by name, as in {'f1': 0.8}.")
        return {name: float(value) for name, value in metrics.items()}


class _Call:
    """One attempt to predict for some tasks, narrowed down until the culprit is alone."""

    def __init__(self, host: ModelHost, instance: Any, params: dict[str, Any]) -> None:
        self._host, self._instance, self._params = host, instance, params
        self._failed_alone = 0
        self._succeeded = False

    def run(self, tasks: list[dict[str, Any]], sizes: list[int]) -> list[Any]:
        """An item, or the exception, for each task."""
        host = self._host
        if len(sizes) > 1 and (not host._mergeable or not host._batches):  # noqa: SLF001 - same module
            return self._each(tasks, sizes)
        if len(tasks) > 1 and not host._batches:  # noqa: SLF001
            return self._each(tasks, [1] * len(tasks))
        try:
            items = host.call(self._instance, tasks, self._params)
        except responses.WrongCount as error:
            if len(sizes) > 1:
                host._mergeable = False  # noqa: SLF001
                _log.warning("%s Requests are not merged for this model from now on.", error)
                return self._each(tasks, sizes)
            if len(tasks) > 1:
                host._batches = False  # noqa: SLF001
                _log.warning("%s Its tasks are predicted one by one from now on.", error)
                return self._each(tasks, [1] * len(tasks))
            return [error]
        except (Exception, SystemExit) as error:  # noqa: BLE001 - the author's code may raise anything
            return self._split(tasks, sizes, error)
        self._succeeded = True
        return items

    def _each(self, tasks: list[dict[str, Any]], sizes: list[int]) -> list[Any]:
        items, start = [], 0
        for size in sizes:
            items += self.run(tasks[start : start + size], [size])
            start += size
        return items

    def _split(self, tasks: list[dict[str, Any]], sizes: list[int], error: BaseException) -> list[Any]:
        if len(tasks) == 1:
            if not self._failed_alone:
                _log.error("predict() raised:\n%s", "".join(traceback.format_exception(error)).rstrip())
            self._failed_alone += 1
            return [PredictError(f"predict() raised {one_line(error)}")]
        if self._failed_alone >= _GIVE_UP_AFTER and not self._succeeded:
            return [PredictError(f"predict() raised {one_line(error)}")] * len(tasks)
        if len(sizes) > 1:
            return self._each(tasks, sizes)
        half = len(tasks) // 2
        return self._each(tasks, [half, len(tasks) - half])


async def _await(value: Any) -> Any:
    return await value


def _decoded(raw: bytes) -> dict[str, Any] | InvalidPrediction:
    """A task, or why it is none: one that cannot be read must not cost the others of a merged call theirs."""
    try:
        return msgspec.json.decode(raw, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        return InvalidPrediction(f"the task is not understood: {error}", "task")


def _problem(group: int, task: Any, error: Exception) -> Problem:
    identity = task.get("id", "") if isinstance(task, dict) else ""
    identity = str(identity)[:_SHOWN]
    message = (str(error) or one_line(error))[: 10 * _SHOWN]  # logged and kept: not without end
    if isinstance(error, InvalidPrediction):
        return Problem(group, identity, "invalid", message, error.reason, error.control)
    reason = "count" if isinstance(error, responses.WrongCount) else "raised"
    return Problem(group, identity, "predict", message, reason)


def new_version(
    job_id: str, parent: Version, config: str, trained: Trained, workdir: Path, **facts: Any
) -> Version:
    """The record of what a training left; `publish` gives it number and name."""
    return Version(
        project_id=parent.project_id,
        number=0,
        name="",
        base_name=parent.base_name,
        train_output=msgspec.json.encode(trained.train_output).decode(),
        workdir=str(workdir),
        config_hash=hashlib.sha256(config.encode()).hexdigest()[:16],
        parent=parent.number,
        created_at=time.time(),
        job_id=job_id,
        **facts,
    )
