"""[trainer process] Runs the author's fit(). Started as `python -m label_studio_ml.training.trainer FD`.

It stays while jobs come and leaves when told to, so that its memory and GPU are free again.
"""

from __future__ import annotations

import logging
import os
import shutil
import sys
import time
from pathlib import Path
from urllib.parse import quote

import msgspec
from sqlalchemy import Connection

from ..backend import child, host
from ..backend.answers import Stop
from ..backend.host import ModelHost
from ..errors import BackendError, FitError, one_line
from ..settings import Settings
from ..store import events, jobs, projects, versions
from ..store.database import Database
from . import messages
from .annotations import AnnotatedTasks, collect

_log = logging.getLogger("label_studio_ml.training.trainer")


def main(fd: int) -> None:
    """Take up the socket, load the author's code, run jobs until told to stop."""
    with child.loaded(fd, messages.to_trainer) as trainer:
        if trainer is None:
            return
        while not isinstance(message := trainer.inbox.get(), Stop):
            reply = run(trainer.host, trainer.settings, trainer.database, message.job_id, message.owner)
            child.reply(trainer.line, reply)


def run(
    model: ModelHost, settings: Settings, database: Database, job_id: str, owner: str
) -> messages.Fitted | messages.Failed:
    """Run a claimed job: gather data, call fit(), store what came out together with the end of the job."""
    try:
        return messages.Fitted(job_id, _train(model, settings, database, job_id, owner))
    except Exception as error:  # noqa: BLE001 - whatever it is, the job has failed
        text = str(error) if isinstance(error, BackendError) else one_line(error)
        detail = child.failure(error)
        _log.error("Job %s failed: %s\n%s", job_id, text, detail)
        database.write(lambda connection: jobs.fail(connection, job_id, owner, text, detail))
        return messages.Failed(job_id, text, detail)


def _train(model: ModelHost, settings: Settings, database: Database, job_id: str, owner: str) -> int | None:
    job = database.read(lambda connection: jobs.get(connection, job_id))
    if job is None or job.lease_owner != owner:
        raise FitError(f"Job {job_id} is not this trainer's to run.")
    project = database.read(lambda connection: projects.get(connection, job.project_id))
    parent = database.read(lambda connection: versions.newest(connection, job.project_id))
    assert project is not None  # noqa: S101 - the job's foreign key
    assert parent is not None  # noqa: S101 - every project has one
    brought = database.read(lambda connection: events.of_job(connection, job_id))
    workdir = settings.model_dir / "versions" / quote(project.id, safe="") / job_id
    scratch = settings.model_dir / "jobs" / job_id
    shutil.rmtree(workdir, ignore_errors=True)  # an earlier attempt's
    started = time.time()
    try:
        workdir.mkdir(parents=True)
        scratch.mkdir(parents=True, exist_ok=True)
        annotated, source = AnnotatedTasks(scratch / "tasks.jsonl", ()), "events"
        if model.describe().generation == 1:
            annotated, source = collect(project, brought, settings, database, scratch / "tasks.jsonl")
        _log.info("Job %s: training project %s from version %s", job_id, project.id, parent.name)
        occurrences = [(event.action, msgspec.json.decode(event.payload)) for event in brought]
        occurrences = occurrences or [(job.action, {"project": {"id": project.id}})]
        trained = model.fit(project.id, parent.number, occurrences, job_id, workdir, annotated)
        number = parent.number  # setup() may just have named the version that fit() started from
        parent = database.read(lambda connection: versions.get(connection, project.id, number)) or parent
        if not trained.changed:
            _log.info("Job %s: fit() changed nothing; version %s stays", job_id, parent.name)
            shutil.rmtree(workdir, ignore_errors=True)
            database.write(lambda connection: jobs.finish(connection, job_id, owner, None))
            return None
        _sync(workdir)
        version = host.new_version(
            job_id,
            parent,
            project.label_config,
            trained,
            workdir,
            duration=time.time() - started,
            trained_on=msgspec.json.encode(
                {"source": source, "tasks": len(annotated), "events": [event.id for event in brought]}
            ).decode(),
        )
        author_name = trained.values.pop("model_version", None)

        def store(connection: Connection) -> versions.Version:
            stored = versions.publish(connection, version, trained.values, author_name=author_name)
            if not jobs.finish(connection, job_id, owner, stored.number):
                raise FitError(f"Job {job_id} was taken over by another server meanwhile.")
            return stored

        stored = database.write(store)
    except BaseException:
        shutil.rmtree(workdir, ignore_errors=True)
        raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    _log.info("Job %s: version %s after %.1f s", job_id, stored.name, time.time() - started)
    return stored.number


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
