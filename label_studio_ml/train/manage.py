"""What people ask about jobs and versions, and tell them: the same for the server's API and for the command line.

Everything goes through the store, so it works beside a running server and on a stopped one. Answers are those
of the server's API.
"""

from __future__ import annotations

import codecs

from msgspec.structs import asdict
from sqlalchemy import Connection

from ..errors import NotFound
from ..settings import Settings
from ..store import jobs, projects, transitions, values, versions
from ..store.database import Database
from ..store.jobs import Job, JobState
from ..store.versions import Version
from ..wire import replies
from . import cleanup

_LOG_STEP = 256 * 2**10


class Manager:
    """Jobs and versions of one store."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database, self._settings = database, settings

    # --- jobs ------------------------------------------------------------------------------------------

    def list_jobs(self, project_id: str | None = None, limit: int = 50) -> list[replies.Job]:
        """The newest jobs of a project, or of all."""
        found = self._database.read(jobs.recent, project_id, limit)
        return [_job(job) for job in found]

    def show_job(self, job_id: str) -> replies.JobDetails:
        """Everything about a job.

        Raises:
            NotFound: there is no such job.
        """
        job = self._database.read(jobs.get, job_id)
        if job is None:
            raise NotFound(f"There is no job {job_id}.")
        return replies.JobDetails(**asdict(_job(job)), error_detail=job.error_detail)

    def job_log(self, job_id: str, offset: int = 0) -> replies.JobLog:
        """A part of what the job printed and logged, from a byte on.

        Raises:
            NotFound: there is no such job.
        """
        active = self.show_job(job_id).state in ("queued", "started")
        path = self._settings.job_log(job_id)
        if not path.is_file():
            return replies.JobLog("", 0, active)
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(offset if 0 <= offset <= size else 0)  # it was begun anew meanwhile
            decoder = codecs.getincrementaldecoder("utf-8")("replace")
            text = decoder.decode(file.read(_LOG_STEP))
            half_a_letter = len(decoder.getstate()[0])  # its rest comes with the next part
            return replies.JobLog(text, file.tell() - half_a_letter, active)

    def cancel_job(self, job_id: str) -> replies.JobDetails:
        """Nobody wants the job any more.

        Raises:
            NotFound: there is no such job.
        """
        self._database.write(transitions.cancel, job_id)
        return self.show_job(job_id)

    def retry_job(self, job_id: str) -> replies.JobDetails:
        """Run the events of a job that is over once more, as a new job.

        Raises:
            NotFound: there is no such job.
            RequestError: it is not over.
        """
        return self.show_job(self._database.write(jobs.retry, job_id))

    # --- versions --------------------------------------------------------------------------------------

    def list_projects(self) -> list[str]:
        """The projects that the store knows."""
        found = self._database.read(projects.all_projects)
        return [project.id for project in found if project.id]

    def list_versions(self, project_id: str | None = None) -> list[replies.Version]:
        """The versions of a project, or of all, newest first."""

        def query(connection: Connection) -> list[replies.Version]:
            active = {project.id: project.active_version for project in projects.all_projects(connection)}
            found = versions.of_project(connection, project_id)
            return [_version(version, active.get(version.project_id)) for version in found]

        return self._database.read(query)

    def show_version(self, project_id: str, name: str) -> replies.VersionDetails:
        """Everything about a version.

        Raises:
            NotFound: there is no such version.
        """

        def query(connection: Connection) -> replies.VersionDetails:
            version = versions.find(connection, project_id, name)
            active = versions.active(connection, project_id)
            kept = values.items(connection, project_id, version.number)
            shown = _version(version, active.number if active else None)
            return replies.VersionDetails(**asdict(shown), train_output=version.train_output, values=kept)

        return self._database.read(query)

    def activate_version(self, project_id: str, name: str) -> replies.VersionDetails:
        """Let a version predict; a running server follows within a second.

        Raises:
            NotFound: there is no such version.
        """

        def change(connection: Connection) -> None:
            versions.choose(connection, project_id, versions.find(connection, project_id, name).number)

        self._database.write(change)
        return self.show_version(project_id, name)

    def delete_version(self, project_id: str, name: str) -> None:
        """Delete a version and its files.

        Raises:
            NotFound: there is no such version.
            RequestError: it predicts, or is the untrained model.
        """

        def change(connection: Connection) -> None:
            versions.remove(connection, versions.find(connection, project_id, name))

        self._database.write(change)
        cleanup.sweep(self._database, self._settings.model_dir)


def _job(job: Job) -> replies.Job:
    return replies.Job(
        job=job.id,
        project=job.project_id,
        state=job.state.value,
        started_by=job.action,
        created_at=job.created_at,
        started_at=job.started_at,
        finished_at=job.finished_at,
        due_at=job.not_before if job.state is JobState.QUEUED and job.not_before else None,
        attempts=job.attempts,
        progress=job.fraction,
        metrics=job.metrics,
        version=job.version,
        error=job.error,
    )


def _version(version: Version, active: int | None) -> replies.Version:
    return replies.Version(
        version=version.name,
        number=version.number,
        project=version.project_id,
        active=version.number == active,
        state=version.state,
        metrics=version.metrics,
        trained_on=version.trained_on,
        config_hash=version.config_hash,
        parent=version.parent,
        created_at=version.created_at,
        duration=version.duration,
        workdir=version.workdir,
        job=version.job_id,
        error=version.error,
    )
