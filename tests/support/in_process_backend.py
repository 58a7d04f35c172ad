"""A model class served in the calling process, as authors' own tests do it, with the calls Label Studio makes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from label_studio_ml.api import init_app
from label_studio_ml.server.test_client import TestClient, TestResponse
from label_studio_ml.wire import bodies, records

CONFIG = (
    '<View><Text name="text" value="$text"/>'
    '<Choices name="sentiment" toName="text"><Choice value="Positive"/><Choice value="Negative"/></Choices>'
    "</View>"
)
PROJECT = "7.1795402042"


def region(choice: str = "Positive") -> dict[str, Any]:
    """A region that fits `CONFIG`."""
    return {"from_name": "sentiment", "to_name": "text", "type": "choices", "value": {"choices": [choice]}}


def annotation(number: int, choice: str = "Positive") -> dict[str, Any]:
    """An annotation as webhooks carry it; annotation N is of task N."""
    return {"id": number, "task": number, "project": 7, "result": [region(choice)], "was_cancelled": False}


class Served:
    """Label Studio's side of a backend in this process."""

    def __init__(self, client: TestClient) -> None:
        self.client = client

    def setup(self, project: str = PROJECT, **more: Any) -> str:
        """Connect a project; the name of the model's version."""
        reply = self.client.post("/setup", json={**bodies.setup(project, CONFIG), **more})
        assert reply.status_code == 200, reply
        version: str = reply.json["model_version"]
        return version

    def ask(self, *texts: str, project: str = PROJECT, context: dict[str, Any] | None = None) -> TestResponse:
        """The reply to a prediction request for tasks with these texts."""
        tasks = [records.task(number, {"text": text}) for number, text in enumerate(texts, 1)]
        return self.client.post("/predict", json=bodies.predict(tasks, project, CONFIG, context))

    def predict(self, *texts: str, project: str = PROJECT, context: dict[str, Any] | None = None) -> list[Any]:
        """The results for tasks with these texts."""
        reply = self.ask(*texts, project=project, context=context)
        assert reply.status_code == 200, reply
        results: list[Any] = reply.json["results"]
        return results

    def send(self, action: str, project: int = 7, **payload: Any) -> TestResponse:
        """The reply to a webhook."""
        body = {"action": action, "project": {"id": project, "label_config": CONFIG}, **payload}
        return self.client.post("/webhook", json=body)

    def annotate(self, number: int = 1, choice: str = "Positive") -> TestResponse:
        """Task N gets its annotation N."""
        task = {"id": number, "data": {"text": f"text {number}"}}
        return self.send("ANNOTATION_CREATED", annotation=annotation(number, choice), task=task)

    def job(self, reply: TestResponse) -> dict[str, Any]:
        """What became of the job that a webhook started."""
        status: dict[str, Any] = self.client.post("/job_status", json={"job": reply.json["job"]}).json
        return status

    def versions(self, project: str = "7") -> list[str]:
        """The names of a project's versions, newest first."""
        names: list[str] = self.client.get(f"/versions?project={project}").json["versions"]
        return names


@contextlib.contextmanager
def served(model_class: type[Any], model_dir: Path, **kwargs: Any) -> Iterator[Served]:
    """Serve a class; `kwargs` are for its constructor, as `--with` gives them."""
    with init_app(model_class, model_dir=str(model_dir), **kwargs).test_client() as client:
        yield Served(client)
