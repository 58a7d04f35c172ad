"""An example's project in a real Label Studio, connected to the example."""

from __future__ import annotations

import tempfile
from pathlib import Path

from label_studio_ml.scaffold.examples import Example
from scripts.examples import Server, published, samples
from scripts.label_studio import Json, LabelStudio
from scripts.processes import wait_until


class Project:
    """Some of the example's samples to learn from, and the last of the others: those are least like the first."""

    def __init__(
        self, label_studio: LabelStudio, example: Example, server: Server, learned: int, others: int
    ) -> None:
        """Make it and connect it; nothing is predicted or annotated yet."""
        self.api, self.example, self.server = label_studio, example, server
        self.id = label_studio.create_project(example.title, (example.folder / "label_config.xml").read_text())
        with tempfile.TemporaryDirectory() as name:
            every = samples(example, Path(name))
            known = [task for task in every if task.get("answer")][:learned] if example.learns else []
            rest = [task for task in every if task not in known][-others:]
            data = published(label_studio, self.id, [*known, *rest], Path(name))
        ids = label_studio.import_tasks(self.id, data)
        self.learned: list[tuple[int, Json]] = list(zip(ids, known, strict=False))
        self.others: list[tuple[int, Json]] = list(zip(ids[len(known) :], rest, strict=True))
        self.backend = label_studio.connect(self.id, server.url, is_interactive=True)["id"]

    @property
    def version(self) -> str:
        """The version that predicts."""
        return str(self.api.backend(self.backend)["model_version"])

    def teach(self) -> None:
        """Annotate what is to be learned from, press Start training, and wait until the new version predicts."""
        before = self.version
        for task, sample in self.learned:
            self.api.annotate(task, sample["answer"])
        self.api.start_training(self.backend)
        wait_until(lambda: self.version != before and self._is_idle(), 900, f"{self.example.name} to have learned")

    def _is_idle(self) -> bool:
        return not self.server.call(f"/is_training?project={self.id}")["is_training"]

    def predict(self) -> dict[int, list[Json]]:
        """The regions that Label Studio has stored for each of the other tasks, predicted now; none for some."""
        clicked = {task: sample["context"] for task, sample in self.others if sample.get("context")}
        for task, context in clicked.items():
            answer = self.api.interact(self.backend, task, context["result"][0])["data"]
            prediction = {"task": task, "result": answer["result"], "model_version": self.version}
            self.api.call("POST", "/api/predictions/", {**prediction, "score": answer.get("score", 0.0)})
        if not clicked:
            self.api.retrieve_predictions(self.id)
        version = self.version
        found = {
            one["task"]: one["result"]
            for one in self.api.predictions(self.id)
            if one["model_version"] == version and one["result"]
        }
        return {task: found.get(task, []) for task, _ in self.others}
