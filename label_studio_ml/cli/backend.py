"""A backend's jobs and versions: through its API while it runs, through its store when it does not."""

from __future__ import annotations

import weakref
from typing import Any, Protocol

from .. import settings
from ..author import source
from ..errors import UsageError
from ..store.database import Database
from ..train.manage import Manager
from ..wire import replies
from .remote import Remote
from .running import running_at


class Backend(Protocol):
    """What `Manager` and `Remote` both answer."""

    def list_jobs(self, project_id: str | None = None) -> list[replies.Job]: ...  # noqa: D102
    def show_job(self, job_id: str) -> replies.JobDetails: ...  # noqa: D102
    def job_log(self, job_id: str, offset: int = 0) -> replies.JobLog: ...  # noqa: D102
    def cancel_job(self, job_id: str) -> replies.JobDetails: ...  # noqa: D102
    def retry_job(self, job_id: str) -> replies.JobDetails: ...  # noqa: D102
    def list_versions(self, project_id: str | None = None) -> list[replies.Version]: ...  # noqa: D102
    def show_version(self, project_id: str, name: str) -> replies.VersionDetails: ...  # noqa: D102
    def activate_version(self, project_id: str, name: str) -> replies.VersionDetails: ...  # noqa: D102
    def delete_version(self, project_id: str, name: str) -> None: ...  # noqa: D102


def reach(target: str, url: str | None, **given: Any) -> Backend:
    """The backend of a folder or script, or at an address.

    Raises:
        UsageError: there is no such backend, or it has never been started.
    """
    if url:
        config = settings.load(**given)
        return Remote(url, config.basic_auth_user, config.basic_auth_pass)
    config = settings.load(**given, default_model_dir=source.locate(target).folder / "model-data")
    if running := running_at(config):
        return Remote(running, config.basic_auth_user, config.basic_auth_pass)
    path = config.model_dir / "label-studio-ml.db"
    if not config.database_url and not path.is_file():
        raise UsageError(f"There is no store in {config.model_dir}. Has the backend ever been started?")
    database = Database(config.database)
    database.migrate()
    manager = Manager(database, config)
    weakref.finalize(manager, database.close)  # commands do not have to think of it
    return manager
