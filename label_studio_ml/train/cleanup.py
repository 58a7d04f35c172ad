"""[any process] Files of trainings that nobody needs: whoever was killed in the middle could not delete them."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Connection

from ..store import jobs, versions
from ..store.database import Database

_LONGEST = 150
"""Characters of a folder's name; file systems take 255 bytes."""


def sweep(database: Database, model_dir: Path) -> None:
    """Delete the folders and data of jobs that are over, unless a version lives in them.

    What belongs to no job that the store knows is left alone: the store may be the wrong one.

    Raises:
        StoreError: the database cannot be read.
    """
    # Looked at before the store is: a job whose folder exists and that is over now will never need it again.
    folders = [*model_dir.glob("versions/*/*"), *model_dir.glob("jobs/*/tasks.jsonl")]

    def unneeded(connection: Connection) -> list[Path]:
        used = {Path(version.workdir).name for version in versions.of_project(connection) if version.workdir}
        found = []
        for path in folders:
            job = jobs.get(connection, path.parent.name if path.name == "tasks.jsonl" else path.name)
            if job is not None and not job.active and path.name not in used:
                found.append(path)
        return found

    for path in database.read(unneeded) if folders else ():
        if path.name == "tasks.jsonl":
            path.unlink(missing_ok=True)
        else:
            shutil.rmtree(path, ignore_errors=True)


def remove_project(database: Database, model_dir: Path, project_id: str, job_ids: Iterable[str]) -> None:
    """Delete the files of a project that was deleted, but for those that a copy of its model uses.

    Raises:
        StoreError: the database cannot be read.
    """
    known = database.read(versions.of_project)
    used = {Path(version.workdir).name for version in known if version.workdir}
    for folder in project_folder(model_dir, project_id).glob("*"):
        if folder.name not in used:
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
