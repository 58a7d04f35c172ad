"""An instance of the author's class trained and measured, and what came of it.

Runs in the trainer or in the calling process. Stores nothing: that is up to whoever asked for the training.
"""

from __future__ import annotations

import contextlib
import hashlib
import math
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from ..errors import FitError, PredictError, one_line
from ..instance import signatures
from ..instance.state import InstanceState, OnProgress, at_work, state_of
from ..settings import Settings
from ..store.versions import Version
from ..wire import events, results


class Trained(msgspec.Struct):
    """What fit() left."""

    train_output: dict[str, Any]
    """What it returned."""
    values: dict[str, Any]
    """What it set with `self.set()`."""
    changed: bool
    """Whether there is anything new: in these, or in a file that the author may have written."""


def fit(
    instance: Any,
    occurrences: Sequence[tuple[str, dict[str, Any]]],
    job_id: str,
    workdir: Path,
    annotated: Any,
    on_progress: OnProgress,
) -> Trained:
    """Train a fresh instance on some events.

    Args:
        instance: of the author's class; it serves nothing else.
        occurrences: (action, payload) of the events, oldest first.
        job_id: passed on to the author.
        workdir: a fresh folder that will be kept with the version.
        annotated: the project's annotated tasks, for generation 1.
        on_progress: told what the author's `self.progress()` says.

    Raises:
        FitError: the author's code raised.
    """
    state = state_of(instance)
    state.train(str(workdir), annotated, on_progress)
    model_class = type(instance)
    before = fingerprint(state.settings, workdir)
    result: Any = None
    with state.collecting() as changes, at_work(state):
        try:
            if signatures.fit_generation(model_class.fit) == 1:
                occurrences = occurrences[-1:]  # one call with the whole set, announced by the newest event
            for action, data in occurrences:
                for event, payload in events.deliveries(action, data, model_class.TRAIN_EVENTS):
                    returned = instance.process_event(event, payload, job_id, {"workdir": str(workdir)})
                    result = returned if returned is not None else result
        except (Exception, SystemExit) as error:
            raise FitError(f"fit() failed: {one_line(error)}") from error
        values = dict(changes)
    try:
        output = results.as_json(result) if result else {}
    except PredictError as error:
        raise FitError(f"fit() returned something that is not JSON, so it cannot be kept: {error}") from error
    if not isinstance(output, dict):
        output = {"result": output}
    changed = bool(output) or bool(values) or fingerprint(state.settings, workdir) != before
    return Trained(output, values, changed)


def fingerprint(settings: Settings, workdir: Path) -> dict[str, tuple[int, int]]:
    """Size and time of every file an author may have written; our own files are left out."""
    folders = [settings.model_dir, workdir]
    ours = {settings.model_dir / "versions", settings.model_dir / "jobs", settings.media_folder}
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


def evaluate(
    make: Callable[[InstanceState], Any], state: InstanceState, trained: Trained, tasks: Any
) -> dict[str, float]:
    """Let an instance of what fit() left measure itself with the author's `evaluate(tasks)`.

    Args:
        make: makes an instance with a state.
        state: of the version to be.
        trained: what fit() left.
        tasks: the project's annotated tasks.

    Raises:
        LoadError: such an instance cannot be constructed.
        FitError: the author's evaluate() raised, or returned something else than numbers by name.
    """
    with state.collecting() as values, at_work(state):
        values.update(trained.values)
        instance = make(state)
        try:
            metrics = results.as_json(instance.evaluate(tasks))
        except (Exception, SystemExit) as error:
            raise FitError(f"evaluate() failed: {one_line(error)}") from error
    if not isinstance(metrics, dict) or not all(
        isinstance(value, int | float) and math.isfinite(value) for value in metrics.values()
    ):
        raise FitError("evaluate() must return a dict of finite numbers by name, as in {'f1': 0.8}.")
    return {name: float(value) for name, value in metrics.items()}


def new_version(
    job_id: str, parent: Version, config: str, trained: Trained, workdir: Path, **facts: Any
) -> Version:
    """The record of what a training left; `publish` gives it number and name."""
    return Version(
        project_id=parent.project_id,
        number=0,
        name="",
        base_name=parent.base_name,
        train_output=trained.train_output,
        workdir=str(workdir),
        config_hash=hashlib.sha256(config.encode()).hexdigest()[:16],
        parent=parent.number,
        created_at=time.time(),
        job_id=job_id,
        **facts,
    )
