"""For authors' own tests: all checks of `label-studio-ml test`, and a backend to talk to as Label Studio does.

The model runs in the calling process, so that its methods can be patched and a debugger reaches it. Needs no
server, no Label Studio and no pytest; only `backend_fixture` makes a pytest fixture.
"""

from __future__ import annotations

import base64
import contextlib
import mimetypes
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from label_studio_sdk.label_interface import LabelInterface

from .api import init_app
from .checks import configs
from .checks.report import Check, Outcome, Problem, Report
from .checks.run import rehearse
from .checks.scene import Plan
from .checks.watched import folder_of
from .server.wsgi import TestClient, TestResponse
from .stage import samples
from .stage.api import Stage
from .stage.environment import label_studio_environment
from .wire import bodies, records

__all__ = [
    "Backend",
    "Check",
    "Outcome",
    "Problem",
    "Report",
    "backend_fixture",
    "check_backend",
    "connected",
    "sample_annotation",
    "sample_tasks",
]

Json = dict[str, Any]
_CONNECTED = "1700000000"  # when the project was made; Label Studio sends it along


def check_backend(
    model_class: type[Any],
    label_config: str | Path | None = None,
    *,
    tasks: Sequence[Json] = (),
    count: int = 4,
    fit: bool = True,
    **kwargs: Any,
) -> Report:
    """Try a model class out with everything Label Studio will do: load, predict, click, train, predict again.

    Args:
        model_class: a class that inherits from `LabelStudioMLBase`.
        label_config: a labeling config (XML), its file, or the name of a template such as `object-detection`.
            Default: what the folder of the class shows, `label_config.xml` first.
        tasks: Label Studio tasks, or just their data; without them, samples are made that fit the config.
        count: how many samples.
        fit: whether to train, too.
        **kwargs: arguments for the class's constructor.

    Returns:
        A report with `.problems`, `.is_ok()`, `.assert_ok()` and `.text()`.

    Raises:
        UsageError: there is no such labeling config.

    >>> from label_studio_ml.model import LabelStudioMLBase
    >>> class Eager(LabelStudioMLBase):
    ...     def predict(self, tasks, context=None, **kwargs):
    ...         value = {"choices": ["Great"]}
    ...         region = {"from_name": "sentiment", "to_name": "text", "type": "choices", "value": value}
    ...         return [{"result": [region], "score": 1.0} for task in tasks]
    >>> report = check_backend(Eager, "text-classification", count=1)
    >>> report.is_ok(), report.problems[0].check, report.problems[0].task
    (False, 'Valid', '1')
    """
    plan = Plan(label_config=_config(model_class, label_config), tasks=tasks, count=count, fit=fit)
    return rehearse(model_class, plan, kwargs)


def sample_tasks(label_config: str | Path, count: int = 4, folder: Path | None = None) -> list[Json]:
    """Tasks with data for a labeling config; media are real, small files.

    Args:
        label_config: as in `check_backend`.
        count: how many.
        folder: where files are written, and tasks hold their paths; without it tasks hold data URIs.

    >>> sample_tasks("text-classification", 1)[0]["data"]
    {'text': 'The soup was wonderful and the waiter was friendly.'}
    """
    publish = _data_uri if folder is None else _writer(folder)
    return samples.tasks(LabelInterface(config=_named(label_config).xml), count, publish)


def sample_annotation(label_config: str | Path, task: Json, number: int = 0) -> Json:
    """An annotation that fits a labeling config; different numbers take different labels.

    >>> task = sample_tasks("text-classification", 1)[0]
    >>> sample_annotation("text-classification", task, 1)["result"][0]["value"]
    {'choices': ['Negative']}
    """
    interface = LabelInterface(config=_named(label_config).xml)
    return samples.annotation(interface, records.completed(task, 1), number)


class Backend:
    """A backend in this process, and Label Studio's side of the conversation.

    `client` makes any other call: `client.post(path, json=…)`, `client.get(path)`.
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
        """Have many tasks annotated already, each (task, regions), and press Start training once; see `annotate`.

        For a `fit()` that gets the annotated tasks of its project; one that gets each event needs `annotate`.
        """
        for task, result in annotated:
            self._keep(self._task(task), result)
        return self.start_training()

    def start_training(self) -> Json | None:
        """Press the Start training button; see `annotate`."""
        return self._event(bodies.start_training(self._stage.project))

    def send(self, action: str, **payload: Any) -> Json | None:
        """Send any event as webhooks do; see `annotate`."""
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
            return records.completed(task, 0)
        number, self._next_task = self._next_task, self._next_task + 1
        return records.completed(task, number)

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
    config = _config(model_class, label_config).xml
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


def backend_fixture(
    model_class: type[Any],
    label_config: str | Path | None = None,
    *,
    extra_params: Json | None = None,
    **kwargs: Any,
) -> Any:
    """A pytest fixture that gives each test a backend of its own, connected as `connected` does it.

    backend = backend_fixture(MyModel)

    def test_a_cat_is_found(backend): ...
    """
    import pytest

    @pytest.fixture
    def backend() -> Iterator[Backend]:
        with connected(model_class, label_config, extra_params=extra_params, **kwargs) as found:
            yield found

    return backend


def _named(label_config: str | Path) -> configs.LabelConfig:
    return configs.named(str(label_config))


def _config(model_class: type[Any], label_config: str | Path | None) -> configs.LabelConfig:
    if label_config is not None:
        return _named(label_config)
    folder = folder_of(model_class) or Path()
    found = configs.of_folder(folder)
    if found is None:
        raise configs.missing(folder)
    return found


def _data_uri(name: str, content: bytes) -> str:
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _writer(folder: Path) -> Callable[[str, bytes], str]:
    def write(name: str, content: bytes) -> str:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / name
        path.write_bytes(content)
        return str(path)

    return write
