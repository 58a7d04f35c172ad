from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from label_studio_ml import settings
from label_studio_ml.backend.host import ModelHost
from label_studio_ml.model import LabelStudioMLBase
from label_studio_ml.store import jobs, projects, versions
from label_studio_ml.store.database import Database
from label_studio_ml.training import messages, trainer


class Plain(LabelStudioMLBase):
    def fit(self, event: str, data: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        return {"event": event}


@pytest.mark.parametrize("project", ["1", "/tmp/elsewhere", "a/b", "a b\u00e4", ""])
def test_what_a_training_leaves_is_inside_the_model_folder_whatever_the_project_is_called(
    database: Database, tmp_path: Path, project: str
) -> None:
    model_dir = tmp_path / "model-data"
    config = settings.load({}, model_dir=model_dir)
    database.write(lambda connection: projects.save(connection, project))
    job_id = database.write(lambda connection: jobs.add(connection, project, "START_TRAINING"))
    database.write(lambda connection: jobs.claim(connection, "me", 30))
    reply = trainer.run(ModelHost(Plain, {}, config, database), config, database, job_id, "me")
    assert reply == messages.Fitted(job_id, 1)
    version = database.read(lambda connection: versions.get(connection, project, 1))
    assert version is not None
    assert Path(version.workdir).is_dir()
    assert Path(version.workdir).relative_to(model_dir / "versions").name == job_id
    job = database.read(lambda connection: jobs.get(connection, job_id))
    assert job is not None
    assert (job.state, job.version) == (jobs.State.FINISHED, 1)


def test_a_job_of_another_server_is_not_run(database: Database, tmp_path: Path) -> None:
    config = settings.load({}, model_dir=tmp_path)
    database.write(lambda connection: projects.save(connection, "1"))
    job_id = database.write(lambda connection: jobs.add(connection, "1", "START_TRAINING"))
    database.write(lambda connection: jobs.claim(connection, "somebody", 30))
    reply = trainer.run(ModelHost(Plain, {}, config, database), config, database, job_id, "me")
    assert isinstance(reply, messages.Failed)
    job = database.read(lambda connection: jobs.get(connection, job_id))
    assert job is not None
    assert (job.state, job.lease_owner) == (jobs.State.STARTED, "somebody")
