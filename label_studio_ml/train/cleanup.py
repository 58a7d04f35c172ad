"""[any process] Files of trainings that nobody needs: whoever was killed in the middle could not delete them."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote

import msgspec
from sqlalchemy import Connection

from ..store import jobs, versions
from ..store.database import Database
from ..store.jobs import Job
from ..store.versions import Version

_LONGEST = 150
"""Characters of a folder's name; file systems take 255 bytes."""


class Place(msgspec.Struct, frozen=True):
    """Where one attempt of a job puts its files; no other attempt has the same."""

    workdir: Path
    """Of the version that may come of it; its final name, as authors keep absolute paths."""
    tasks: Path
    """The annotated tasks, while it runs."""


def place(model_dir: Path, job: Job) -> Place:
    """The place of the attempt that has the job now."""
    name = f"{job.id}.{_attempt(job)}"
    return Place(project_folder(model_dir, job.project_id) / name, model_dir / "jobs" / job.id / f"{name}.jsonl")


def sweep(database: Database, model_dir: Path) -> None:
    """Delete the files of attempts that are over, unless a version lives in them.

    What belongs to no job that the store knows is left alone: the store may be the wrong one.

    Raises:
        StoreError: the database cannot be read.
    """
    # Looked at before the store is: an attempt that begins later has other names, one that is over now cannot
    # make a version any more.
    found = [*model_dir.glob("versions/*/*"), *model_dir.glob("jobs/*/*.jsonl")]
    for path in database.read(_unneeded, found) if found else ():
        if path.suffix == ".jsonl":
            path.unlink(missing_ok=True)
        else:
            shutil.rmtree(path, ignore_errors=True)


def _unneeded(connection: Connection, found: list[Path]) -> list[Path]:
    used = _used(versions.of_project(connection))
    return [path for path in found if path.name not in used and _is_over(connection, path)]


def _is_over(connection: Connection, path: Path) -> bool:
    """Whether the attempt whose file or folder this is can never make a version any more."""
    job = _job_of(connection, path)
    if job is None or not job.active:
        return job is not None
    stem, _, attempt = path.name.removesuffix(".jsonl").rpartition(".")
    return stem == job.id and attempt != _attempt(job)  # without: named after the job alone, by an earlier release


def _orphans(connection: Connection, folders: list[Path]) -> list[Path]:
    used = _used(versions.of_project(connection))
    return [path for path in folders if path.name not in used and _job_of(connection, path) is None]


def _job_of(connection: Connection, path: Path) -> Job | None:
    name = path.parent.name if path.suffix == ".jsonl" else path.name
    return jobs.get(connection, name) or jobs.get(connection, name.rpartition(".")[0])


def _attempt(job: Job) -> str:
    return hashlib.sha256((job.lease_owner or "").encode()).hexdigest()[:12]


def _used(known: Iterable[Version]) -> set[str]:
    return {Path(version.workdir).name for version in known if version.workdir}


def remove_project(database: Database, model_dir: Path, project_id: str, job_ids: Iterable[str]) -> None:
    """Delete the files of a project that was deleted, but for those that a copy of its model uses.

    Raises:
        StoreError: the database cannot be read.
    """
    folders = list(project_folder(model_dir, project_id).glob("*"))  # before the store: it may come anew
    for folder in database.read(_orphans, folders):
        shutil.rmtree(folder, ignore_errors=True)
    remove_jobs(model_dir, job_ids)


def remove_jobs(model_dir: Path, job_ids: Iterable[str]) -> None:
    """Delete the logs of jobs that were deleted."""
    for job_id in job_ids:
        shutil.rmtree(model_dir / "jobs" / job_id, ignore_errors=True)


def project_folder(model_dir: Path, project_id: str) -> Path:
    """Where the versions of a project keep their files; whatever its id is, inside the model folder."""
    name = quote(project_id, safe="").replace(".", "%2E") or "%"
    if len(name) > _LONGEST:
        name = f"{name[:_LONGEST]}~{hashlib.sha256(project_id.encode()).hexdigest()[:32]}"
    return model_dir / "versions" / name
