"""[trainer or calling process] One run of one job: data gathered, fit() called, and what came of it stored."""

from __future__ import annotations

import contextlib
import logging
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
from sqlalchemy import Connection

from .. import logs
from ..author import child, fit
from ..author.fit import Trained
from ..author.host import ModelHost
from ..errors import BackendError, FitError, LabelStudioError, StoreError, one_line
from ..processes import messages
from ..settings import Settings
from ..store import events, jobs, projects, transitions, versions
from ..store.database import Database
from ..store.events import Event
from ..store.jobs import Job, JobState
from ..store.projects import Project
from ..store.versions import Version
from . import cleanup, promotion
from .annotations import AnnotatedTasks, collect

_STORED_EVERY = 0.5
"""Seconds between two writes of progress; authors may report it in every step of a loop."""
_LOGGED_EVERY = 10.0
"""Seconds between two lines about progress in the log."""
_log = logging.getLogger(__name__)


def run(model: ModelHost, settings: Settings, database: Database, job_id: str, owner: str) -> messages.Outcome:
    """Run a claimed job: gather data, call fit(), store what came out together with the end of the job."""
    _sweep(settings, database)  # what earlier attempts have left
    outcome = _run(model, settings, database, job_id, owner)
    if not isinstance(outcome, messages.Fitted) or outcome.version is None:
        _sweep(settings, database)
    return outcome


def _sweep(settings: Settings, database: Database) -> None:
    with contextlib.suppress(StoreError):  # it is done again
        cleanup.sweep(database, settings.model_dir)


def _run(model: ModelHost, settings: Settings, database: Database, job_id: str, owner: str) -> messages.Outcome:
    try:
        return messages.Fitted(job_id, _Training(model, settings, database, job_id, owner).run())
    except LabelStudioError as error:
        reason = logs.redact(f"Waiting for Label Studio: {error}")
        seconds = database.write(transitions.postpone, job_id, owner, reason)
        _log.warning("Job %s waits %.0f s. %s", job_id, seconds or 0.0, error)
        return messages.Postponed(job_id, reason)
    except Exception as error:  # noqa: BLE001 - whatever it is, the job has failed, unless the store says otherwise
        text = logs.redact(str(error) if isinstance(error, BackendError) else one_line(error))
        detail = child.failure(error)
        if not database.write(transitions.fail, job_id, owner, text, detail):
            job = database.read(jobs.get, job_id)
            if job is not None and job.state is JobState.FINISHED:
                _log.warning("Job %s is finished, though an error came after it: %s", job_id, text)
                return messages.Fitted(job_id, job.version)
        _log.error("Job %s failed: %s\n%s", job_id, text, detail)
        return messages.Failed(job_id, text, detail)


class _Order(msgspec.Struct, frozen=True):
    """What a job is about."""

    job: Job
    project: Project
    parent: Version
    """The version that fit() starts from."""
    events: list[Event]
    """Those that the job has taken up, oldest first."""

    @property
    def occurrences(self) -> list[tuple[str, dict[str, object]]]:
        """What fit() is told, (action, payload) each; a job without events has its own action."""
        found = [(event.action, event.data) for event in self.events]
        return found or [(self.job.action, {"project": {"id": self.project.id}})]


class _Training:
    """One run of one job."""

    def __init__(self, model: ModelHost, settings: Settings, database: Database, job_id: str, owner: str) -> None:
        self._model, self._settings, self._database = model, settings, database
        self._job_id, self._owner = job_id, owner
        self._started = time.time()
        self._progress = _Progress(database, job_id, owner)

    def run(self) -> int | None:
        """The number of the version that came out, None when nothing changed."""
        order = self._read()
        project, parent = order.project, order.parent
        place = cleanup.place(self._settings.model_dir, order.job)
        workdir = place.workdir
        workdir.mkdir(parents=True)
        with _temporary(place.tasks):
            annotated, source = self._gather(order, place.tasks)
            _log.info("Job %s: training project %s from version %s", self._job_id, project.id, parent.name)
            trained = self._model.fit(
                project.id,
                parent.number,
                order.occurrences,
                self._job_id,
                workdir,
                annotated,
                self._progress.report,
            )
            if trained.changed:
                return self._keep(order, trained, workdir, annotated, source)
            _log.info("Job %s: fit() changed nothing; version %s stays", self._job_id, parent.name)
            self._database.write(transitions.finish, self._job_id, self._owner, None)
            return None

    def _read(self) -> _Order:
        job = self._database.read(jobs.get, self._job_id)
        if job is None or job.lease_owner != self._owner:
            raise FitError(f"Job {self._job_id} is not this trainer's to run.")
        project = self._database.read(projects.get, job.project_id)
        parent = self._database.read(versions.newest, job.project_id)
        assert project is not None  # noqa: S101 - the job's foreign key
        assert parent is not None  # noqa: S101 - every project has one
        return _Order(job, project, parent, self._database.read(events.of_job, job.id))

    def _gather(self, order: _Order, path: Path) -> tuple[AnnotatedTasks, str]:
        if self._model.describe().generation == 1 or self._model.evaluates:
            return collect(order.project, order.events, self._settings, self._database, path)
        return AnnotatedTasks(path, ()), "events"

    def _keep(self, order: _Order, trained: Trained, workdir: Path, annotated: AnnotatedTasks, source: str) -> int:
        """Measure what fit() left, and make a version of it."""
        project_id, number = order.project.id, order.parent.number
        # setup() may just have named the version that fit() started from
        parent = self._database.read(versions.get, project_id, number) or order.parent
        self._progress.metrics.update(self._model.evaluate(project_id, parent, trained, workdir, annotated))
        _sync(workdir)
        version = fit.new_version(
            self._job_id,
            parent,
            order.project.label_config,
            trained,
            workdir,
            duration=time.time() - self._started,
            metrics=self._progress.metrics,
            trained_on={
                "source": source,
                "tasks": len(annotated),
                "snapshot": annotated.digest,
                "events": [event.id for event in order.events],
            },
        )
        stored = self._database.write(self._publish, version, trained)
        _log.info("Job %s: version %s after %.1f s", self._job_id, stored.name, time.time() - self._started)
        if stored.state == "kept":
            _log.warning("Version %s is kept aside and does not predict: %s", stored.name, stored.error)
        return stored.number

    def _publish(self, connection: Connection, version: Version, trained: Trained) -> Version:
        """Store the version and the end of the job together."""
        values = dict(trained.values)
        author_name = values.pop("model_version", None)
        active = versions.active(connection, version.project_id)
        conditions = promotion.parse(self._settings.promote_if)
        kept = promotion.refusal(conditions, version.metrics, active.metrics if active else {})
        stored = versions.publish(connection, version, values, author_name=author_name, kept=kept)
        jobs.report(connection, self._job_id, self._owner, 1.0, version.metrics)
        if not transitions.finish(connection, self._job_id, self._owner, stored.number):
            raise FitError(f"Job {self._job_id} was taken over by another server meanwhile.")
        return stored


class _Progress:
    """How far fit() is: logged and stored now and then."""

    def __init__(self, database: Database, job_id: str, owner: str) -> None:
        self._database, self._job_id, self._owner = database, job_id, owner
        self._logged = self._stored = 0.0
        self.metrics: dict[str, float] = {}
        """The newest of each."""

    def report(self, fraction: float | None, metrics: dict[str, float]) -> None:
        """Take note of what the author's `self.progress()` says; called as often as the author likes."""
        self.metrics.update(metrics)
        now = time.monotonic()
        if now - self._logged > _LOGGED_EVERY or fraction == 1.0:
            self._logged = now
            done = "" if fraction is None else f"{fraction:.0%} "
            shown = " ".join(f"{name}={value:g}" for name, value in self.metrics.items())
            _log.info("Job %s: %s%s", self._job_id, done, shown)
        if now - self._stored > _STORED_EVERY or fraction == 1.0:
            self._stored = now
            with contextlib.suppress(StoreError):  # a training must not fail because nobody can watch it
                self._database.write(jobs.report, self._job_id, self._owner, fraction, self.metrics)


@contextlib.contextmanager
def _temporary(path: Path) -> Iterator[None]:
    """A place for a file, which is deleted afterwards."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def _sync(folder: Path) -> None:
    """Make sure that what fit() wrote is on disk before a version points at it.

    Authors leave links that lead nowhere, sockets and pipes, too; only regular files and folders are synced.
    """
    for root, _, files in os.walk(folder):
        for path in (Path(root), *(Path(root, name) for name in files)):
            # A file may be gone again, or be unreadable to us; opening a pipe would wait for a writer.
            with contextlib.suppress(FileNotFoundError, PermissionError):
                mode = path.lstat().st_mode
                if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
                    _sync_one(path)


def _sync_one(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
