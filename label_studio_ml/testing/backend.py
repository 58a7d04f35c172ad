"""A backend in the process of a test, and Label Studio's side of the conversation."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from label_studio_sdk.label_interface import LabelInterface

from ..api import init_app
from ..server.test_client import TestClient, TestResponse
from ..stage import samples
from ..stage.api import Stage
from ..stage.environment import label_studio_environment
from ..wire import bodies, records
from . import labeling_config

Json = dict[str, Any]
_CONNECTED = "1700000000"  # when the project was made; Label Studio sends it along


class Backend:
    """A backend in this process, and Label Studio's side of the conversation.

    `client` makes any other call: `client.post(path, json=…)`, `client.get(path)`. A `Path` in a task's data is
    uploaded, and the model gets the address of the file.
    """

    def __init__(self, client: TestClient, label_config: str, stage: Stage) -> None:
        self.client, self.label_config = client, label_config
        self._stage = stage
        self._project = f"{stage.project['id']}.{_CONNECTED}"
        self._next_task = 1
        self._extra_params: Json | None = None

    def setup(self, label_config: str | None = None, extra_params: Json | None = None) -> str:
        """Connect the project, as Label Studio does again and again; return the version that predicts.

        Args:
            label_config: another labeling config (XML) from here on.
            extra_params: other extra params from here on.
        """
        self.label_config = label_config or self.label_config
        self._extra_params = self._extra_params if extra_params is None else extra_params
        self._stage.configure(self.label_config)
        body = bodies.setup(
            self._project, self.label_config, self._stage.hostname, self._stage.token, self._extra_params
        )
        version: str = self._good(self.client.post("/setup", json=body))["model_version"]
        return version

    @property
    def version(self) -> str:
        """The version that predicts now."""
        return self.setup()

    def sample_tasks(self, count: int = 4) -> list[Json]:
        """Tasks that fit the labeling config. Their media can be fetched, as from Label Studio."""
        interface = LabelInterface(config=self.label_config)
        return [self._task(task["data"]) for task in samples.tasks(interface, count, self._stage.publish)]

    def sample_annotation(self, task: Json, number: int = 0) -> list[Json]:
        """Regions that fit the labeling config; different numbers take different labels."""
        interface = LabelInterface(config=self.label_config)
        return samples.regions(interface, records.completed(task, 1), number)

    def publish(self, file: Path) -> str:
        """Upload a file to the Label Studio that is played; return its address for the data of tasks."""
        return self._stage.publish(file.name, file.read_bytes())

    def predict(self, tasks: Sequence[Json], context: Json | None = None) -> list[Any]:
        """Ask for predictions.

        Args:
            tasks: tasks, or just their data.
            context: what the annotator drew, for an interactive call: `{"result": [region]}`.

        Returns:
            One item for each task: a prediction, a list of them, or `[]`.

        Raises:
            AssertionError: the backend did not answer with predictions; the message says what it said.
        """
        given = [self._task(task) for task in tasks]
        body = bodies.predict(given, self._project, self.label_config, context)
        results: list[Any] = self._good(self.client.post("/predict", json=body))["results"]
        return results

    def annotate(self, task: Json, result: Sequence[Json], *, skipped: bool = False) -> Json | None:
        """Submit an annotation, or skip the task, and let fit() learn from it before this returns.

        Args:
            task: a task, or just its data. A task with an id that was annotated before is annotated anew.
            result: the regions.
            skipped: whether the annotator skipped the task.

        Returns:
            The job that fit() ran in; None where the event trains nothing.

        Raises:
            AssertionError: fit() failed; the message says why.
        """
        task = self._task(task)
        one = self._keep(task, result, skipped)
        return self._event(bodies.annotation_created(one, task, self._stage.project))

    def learn(self, annotated: Sequence[tuple[Json, Sequence[Json]]]) -> Json | None:
        """Have many tasks annotated already, each (task, regions), and press Start training once.

        For a `fit()` that gets the annotated tasks of its project; one that gets each event needs `annotate`, which
        also says what is returned and raised.
        """
        for task, result in annotated:
            self._keep(self._task(task), result)
        return self.start_training()

    def start_training(self) -> Json | None:
        """Press the Start training button; returned and raised is what `annotate` returns and raises."""
        return self._event(bodies.start_training(self._stage.project))

    def send(self, action: str, **payload: Any) -> Json | None:
        """Send any event as webhooks do; returned and raised is what `annotate` returns and raises."""
        return self._event({"action": action, "project": self._stage.project, **payload})

    def _event(self, body: Json) -> Json | None:
        job = self._good(self.client.post("/webhook", json=body)).get("job")
        if not job:
            return None
        found: Json = self._good(self.client.get(f"/jobs/{job}"))
        why = f"{found.get('error')}\n{found.get('error_detail')}"
        assert found["state"] != "failed", f"fit() failed on {body['action']}: {why}"  # noqa: S101
        return found

    def _keep(self, task: Json, result: Sequence[Json], skipped: bool = False) -> Json:
        """Label Studio has this annotation from here on."""
        one = samples.submitted(task, list(result), skipped=skipped)
        self._stage.keep(records.annotated(task, one))
        return one

    def _task(self, task: Json) -> Json:
        if "id" in task and "data" in task:
            return records.completed({**task, "data": self._uploaded(task["data"])}, 0)
        number, self._next_task = self._next_task, self._next_task + 1
        return records.completed(self._uploaded(task), number)

    def _uploaded(self, data: Json) -> Json:
        return {name: self.publish(value) if isinstance(value, Path) else value for name, value in data.items()}

    @staticmethod
    def _good(response: TestResponse) -> Json:
        assert response.status_code < 300, f"the backend answered {response.status}: {response.text}"  # noqa: S101
        answer: Json = response.json
        return answer


@contextlib.contextmanager
def connected(
    model_class: type[Any],
    label_config: str | Path | None = None,
    *,
    extra_params: Json | None = None,
    **kwargs: Any,
) -> Iterator[Backend]:
    """A backend that a project was connected to; what it learns is gone afterwards.

    Args:
        model_class: a class that inherits from `LabelStudioMLBase`.
        label_config: as in `check_backend`.
        extra_params: what is typed into "extra params" in Label Studio.
        **kwargs: arguments for the class's constructor.

    >>> from label_studio_ml.model import LabelStudioMLBase
    >>> class Shy(LabelStudioMLBase):
    ...     def predict(self, tasks, **kwargs):
    ...         return [{"result": [], "score": 0.1} for task in tasks]
    >>> with connected(Shy, "text-classification") as backend:
    ...     backend.predict([{"text": "Hello"}])
    [{'result': [], 'score': 0.1, 'model_version': '0.0.1'}]
    """
    config = labeling_config.chosen(model_class, label_config).xml
    with contextlib.ExitStack() as exits:
        folder = exits.enter_context(
            tempfile.TemporaryDirectory(prefix="label-studio-ml-", ignore_cleanup_errors=True)
        )
        stage = exits.enter_context(Stage(label_config=config))
        exits.enter_context(label_studio_environment(stage.hostname, stage.token, folder))
        client = exits.enter_context(init_app(model_class, model_dir=folder, **kwargs).test_client())
        backend = Backend(client, config, stage)
        backend.setup(extra_params=extra_params)
        yield backend
