"""[trainer process] Runs the author's fit(). Started as `python -m label_studio_ml.train.trainer FD`.

It stays while jobs come and leaves when told to, so that its memory and GPU are free again.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import sys
import time
from pathlib import Path

from sqlalchemy import Connection

from .. import logs
from ..author import child, fit
from ..author.fit import Trained
from ..author.host import ModelHost
from ..errors import BackendError, FitError, LabelStudioError, StoreError, one_line
from ..processes import messages
from ..processes.messages import Stop
from ..settings import Settings
from ..store import events, jobs, projects, transitions, versions
from ..store.database import Database
from ..store.events import Event
from ..store.jobs import Job
from ..store.projects import Project
from ..store.versions import Version
from . import cleanup, job_log, promotion
from .annotations import AnnotatedTasks, collect

_log = logging.getLogger("label_studio_ml.train.trainer")


_THROTTLE = 0.5
_TELL = 10.0


def main(fd: int) -> None:
    """Take up the socket, load the author's code, run jobs until told to stop."""
    with child.loaded(fd, messages.to_trainer, _stand_back) as trainer:
        if trainer is None:
            return
        while not isinstance(message := trainer.receive(), Stop):
            with job_log.captured(trainer.settings.job_log(message.job_id)):
                reply = run(trainer.host, trainer.settings, trainer.database, message.job_id, message.owner)
            child.reply(trainer.line, reply)


def _stand_back(settings: Settings) -> None:
    """Predictions go first. Threads that libraries start when they are imported take this over."""
    with contextlib.suppress(OSError):
        os.nice(settings.trainer_nice)
    if sys.platform == "linux":
        cores = sorted(os.sched_getaffinity(0))
        with contextlib.suppress(OSError):
            os.sched_setaffinity(0, cores[-(settings.trainer_cores or len(cores) - 1) :])


def run(model: ModelHost, settings: Settings, database: Database, job_id: str, owner: str) -> messages.Outcome:
    """Run a claimed job: gather data, call fit(), store what came out together with the end of the job."""
    training = _Training(model, settings, database, job_id, owner)
    try:
        return messages.Fitted(job_id, training.run())
    except LabelStudioError as error:
        reason = logs.redact(f"Waiting for Label Studio: {error}")
        seconds = database.write(transitions.postpone, job_id, owner, reason)
        _log.warning("Job %s waits %.0f s. %s", job_id, seconds or 0.0, error)
        return messages.Postponed(job_id, reason)
    except Exception as error:  # noqa: BLE001 - whatever it is, the job has failed
        text = logs.redact(str(error) if isinstance(error, BackendError) else one_line(error))
        detail = child.failure(error)
        _log.error("Job %s failed: %s\n%s", job_id, text, detail)
        database.write(transitions.fail, job_id, owner, text, detail)
        return messages.Failed(job_id, text, detail)


class _Training:
    """One run of one job."""

    def __init__(self, model: ModelHost, settings: Settings, database: Database, job_id: str, owner: str) -> None:
        self._model, self._settings, self._database = model, settings, database
        self._job_id, self._owner = job_id, owner
        self._started = time.time()
        self._told = self._stored = 0.0
        self._metrics: dict[str, float] = {}

    def run(self) -> int | None:
        """The number of the version that came out, None when nothing changed."""
        job, project, parent, brought = self._read()
        workdir = cleanup.project_folder(self._settings.model_dir, project.id) / job.id
        scratch = self._settings.model_dir / "jobs" / job.id
        shutil.rmtree(workdir, ignore_errors=True)  # an earlier attempt's
        try:
            workdir.mkdir(parents=True)
            scratch.mkdir(parents=True, exist_ok=True)
            annotated, source = self._gather(project, brought, scratch / "tasks.jsonl")
            occurrences = [(event.action, event.data) for event in brought]
            occurrences = occurrences or [(job.action, {"project": {"id": project.id}})]
            _log.info("Job %s: training project %s from version %s", job.id, project.id, parent.name)
            trained = self._model.fit(
                project.id, parent.number, occurrences, job.id, workdir, annotated, self._progress
            )
            if not trained.changed:
                _log.info("Job %s: fit() changed nothing; version %s stays", job.id, parent.name)
                shutil.rmtree(workdir, ignore_errors=True)
                self._database.write(transitions.finish, job.id, self._owner, None)
                return None
            number = parent.number  # setup() may just have named the version that fit() started from
            parent = self._database.read(versions.get, project.id, number) or parent
            measured = self._model.evaluate(project.id, parent, trained, workdir, annotated)
            self._metrics.update(measured)
            _sync(workdir)
            facts = {"source": source, "tasks": len(annotated), "snapshot": annotated.digest}
            facts["events"] = [event.id for event in brought]
            stored = self._publish(project, parent, trained, workdir, facts)
        except BaseException:
            shutil.rmtree(workdir, ignore_errors=True)
            raise
        finally:
            (scratch / "tasks.jsonl").unlink(missing_ok=True)
        seconds = time.time() - self._started
        _log.info("Job %s: version %s after %.1f s", job.id, stored.name, seconds)
        if stored.state == "kept":
            _log.warning("Version %s is kept aside and does not predict: %s", stored.name, stored.error)
        return stored.number

    def _read(self) -> tuple[Job, Project, Version, list[Event]]:
        job = self._database.read(jobs.get, self._job_id)
        if job is None or job.lease_owner != self._owner:
            raise FitError(f"Job {self._job_id} is not this trainer's to run.")
        project = self._database.read(projects.get, job.project_id)
        parent = self._database.read(versions.newest, job.project_id)
        assert project is not None  # noqa: S101 - the job's foreign key
        assert parent is not None  # noqa: S101 - every project has one
        return job, project, parent, self._database.read(events.of_job, job.id)

    def _gather(self, project: Project, brought: list[Event], path: Path) -> tuple[AnnotatedTasks, str]:
        if self._model.describe().generation == 1 or self._model.evaluates:
            return collect(project, brought, self._settings, self._database, path)
        return AnnotatedTasks(path, ()), "events"

    def _progress(self, fraction: float | None, metrics: dict[str, float]) -> None:
        """What the author's `self.progress()` leads to; called as often as the author likes."""
        self._metrics.update(metrics)
        now = time.monotonic()
        if now - self._told > _TELL or fraction == 1.0:
            self._told = now
            done = "" if fraction is None else f"{fraction:.0%} "
            shown = " ".join(f"{name}={value:g}" for name, value in self._metrics.items())
            _log.info("Job %s: %s%s", self._job_id, done, shown)
        if now - self._stored > _THROTTLE or fraction == 1.0:
            self._stored = now
            with contextlib.suppress(StoreError):  # a training must not fail because nobody can watch it
                self._database.write(jobs.report, self._job_id, self._owner, fraction, self._metrics)

    def _publish(
        self, project: Project, parent: Version, trained: Trained, workdir: Path, facts: dict[str, object]
    ) -> Version:
        version = fit.new_version(
            self._job_id,
            parent,
            project.label_config,
            trained,
            workdir,
            duration=time.time() - self._started,
            metrics=self._metrics,
            trained_on=facts,
        )
        values = dict(trained.values)
        author_name = values.pop("model_version", None)
        conditions = promotion.parse(self._settings.promote_if)

        def store(connection: Connection) -> Version:
            active = versions.active(connection, project.id)
            measured = active.metrics if active else {}
            kept = promotion.refusal(conditions, self._metrics, measured)
            stored = versions.publish(connection, version, values, author_name=author_name, kept=kept)
            jobs.report(connection, self._job_id, self._owner, 1.0, self._metrics)
            if not transitions.finish(connection, self._job_id, self._owner, stored.number):
                raise FitError(f"Job {self._job_id} was taken over by another server meanwhile.")
            return stored

        return self._database.write(store)


def _sync(folder: Path) -> None:
    """Make sure that what fit() wrote is on disk before a version points at it."""
    for root, _, files in os.walk(folder):
        for name in [*files, "."]:
            handle = os.open(Path(root) / name, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)


if __name__ == "__main__":
    main(int(sys.argv[1]))
