"""A `ModelHost` over a real store with short ways to ask it, and classes of authors to ask."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import msgspec
from sqlalchemy import Connection

from label_studio_ml import settings
from label_studio_ml.author.host import ModelHost
from label_studio_ml.model import LabelStudioMLBase
from label_studio_ml.processes.messages import Answer, Predict
from label_studio_ml.store import jobs, projects, transitions, versions
from label_studio_ml.store.database import Database
from label_studio_ml.store.versions import Version
from label_studio_ml.train import training
from tests.support.in_process_backend import CONFIG, region

Tasks = list[dict[str, Any]]


class Bench:
    """A host with what it stands on, and short ways to ask it."""

    def __init__(self, host: ModelHost, config: settings.Settings, database: Database) -> None:
        self.host, self.settings, self.database = host, config, database

    def answer(self, *groups: list[str], project: str = "7", number: int = 0, **params: Any) -> Answer:
        """Predict for requests, each a list of texts; task ids count up through all of them."""
        ids = iter(range(1, 10_000))
        made = [
            msgspec.json.encode({"id": next(ids), "data": {"text": text}}) for texts in groups for text in texts
        ]
        sizes = [len(texts) for texts in groups]
        return self.host.predict(Predict(project, CONFIG, number, made, sizes, msgspec.json.encode(params)))

    def predict(self, *texts: str, **more: Any) -> list[Any]:
        """The decoded results for one request."""
        return [msgspec.json.decode(item) for item in self.answer(list(texts), **more).results]

    def train(self, project: str = "7", action: str = "ANNOTATION_CREATED") -> Version:
        """Run a job as the trainer does, and let what comes out serve."""

        def queue(connection: Connection) -> None:
            projects.save(connection, project, label_config=CONFIG)
            jobs.add(connection, project, action)

        self.database.write(queue)
        job = self.database.write(transitions.claim, "me", 60)
        assert job is not None
        training.run(self.host, self.settings, self.database, job.id, "me")
        done = self.database.read(jobs.get, job.id)
        assert done is not None
        if done.version is None:
            raise AssertionError(done.error or "fit() changed nothing")
        number = done.version
        self.database.write(versions.activate, project, number)
        return self.version(number, project)

    def version(self, number: int = 0, project: str = "7") -> Version:
        """A version as it is stored."""
        found = self.database.read(versions.get, project, number)
        assert found is not None
        return found


class MakeBench:
    """Makes benches over one database."""

    def __init__(self, folder: Path, database: Database) -> None:
        self._folder, self._database = folder, database

    def __call__(self, model_class: type[Any], kwargs: dict[str, Any] | None = None, **given: Any) -> Bench:
        config = settings.load({}, model_dir=self._folder / "model-data", **given)
        return Bench(ModelHost(model_class, kwargs or {}, config, self._database), config, self._database)


class Counting(LabelStudioMLBase):
    """Notes the size of every call."""

    calls: ClassVar[list[int]]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.calls = []

    def predict(self, tasks: Tasks, context: Any = None, **kwargs: Any) -> Any:
        self.calls.append(len(tasks))
        return self.results([task["data"]["text"] for task in tasks])

    def results(self, texts: list[str]) -> Any:
        return [self.one(text) for text in texts]

    def one(self, text: str) -> Any:
        return {"result": [region()], "score": 0.5}


class Learns(LabelStudioMLBase):
    def predict(self, tasks: Tasks, context: Any = None, **kwargs: Any) -> Any:
        return [{"result": []} for _ in tasks]

    def fit(self, event: str, data: Any, **kwargs: Any) -> Any:
        return {"trained": True}
