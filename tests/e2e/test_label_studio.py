"""A real Label Studio 1.23.2 connected with our server: everything an annotator and a manager do with it."""

from __future__ import annotations

import json
import statistics
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

import label_studio_ml
from scripts.label_studio import CallError, Json, LabelStudio
from scripts.processes import wait_until
from tests.support.paths import BACKENDS
from tests.support.sentiment_project import KEYWORDS, choice, label_config, settles_at, value_of
from tests.support.servers import ServerProcess, StartServer, run_command
from tests.support.store_snapshot import Store

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1200)]  # the first test may have to install Label Studio

SLOW_LEARNER = BACKENDS / "slow_learner.py"
TEXT_CLASSIFIER = (
    Path(label_studio_ml.__file__).parent / "examples" / "simple_text_classifier" / "text_classifier.py"
)


@dataclass(frozen=True, kw_only=True)
class Connection:
    """A project of Label Studio with its tasks and the backend connected to it."""

    api: LabelStudio
    project: int
    tasks: list[int]
    backend: Json

    @property
    def version(self) -> str:
        """The version that setup announced when the project was connected."""
        version: str = self.backend["model_version"]
        return version

    def prediction(self, task: int) -> Json:
        """Open a task and return the one prediction it shows."""
        (prediction,) = self.api.open_task(task)["predictions"]
        return dict(prediction)

    def stored(self) -> Counter[tuple[int, str]]:
        """How many predictions each task has of each version."""
        return Counter((one["task"], one["model_version"]) for one in self.api.predictions(self.project))

    def events(self) -> list[str]:
        """The events that reached the model's fit(), as an interactive prediction tells them."""
        answer = self.api.interact(self.backend["id"], self.tasks[-1], choice("Positive"))
        events: list[str] = json.loads(value_of(answer["data"], "seen"))["events"]
        return events

    def newer_version(self) -> str:
        """Wait until the model page offers a version newer than the one announced at first, and return it."""

        def newest() -> str | None:
            version = self.api.versions(self.backend["id"])[0]
            return version if version != self.version else None

        return wait_until(newest, 120, "a trained version in the model page")


def connect(api: LabelStudio, server: ServerProcess, texts: list[str], **options: object) -> Connection:
    """Make a project with one task per text and connect it with the server."""
    project = api.create_project("end to end", label_config("Positive", "Negative"))
    tasks = api.import_tasks(project, [{"text": text} for text in texts])
    backend = api.connect(project, server.url, is_interactive=True, **options)
    return Connection(api=api, project=project, tasks=tasks, backend=backend)


def test_a_connected_backend_gets_the_extra_parameters_and_announces_its_version(
    label_studio: LabelStudio, start_server: StartServer
) -> None:
    connection = connect(label_studio, start_server(KEYWORDS), ["Negative"], extra_params={"threshold": 0.25})

    assert connection.backend["readable_state"] == "Connected"
    assert connection.version
    assert label_studio.versions(connection.backend["id"]) == [connection.version]
    assert connection.prediction(connection.tasks[0])["score"] == 0.25


def test_opening_a_task_shows_a_prediction_of_the_announced_version(
    label_studio: LabelStudio, start_server: StartServer
) -> None:
    connection = connect(label_studio, start_server(KEYWORDS), ["a negative one", "a positive one"])

    for task, label in zip(connection.tasks, ["Negative", "Positive"], strict=True):
        prediction = connection.prediction(task)
        assert value_of(prediction, "sentiment") == label
        assert prediction["model_version"] == connection.version


def test_retrieving_predictions_for_a_hundred_tasks_predicts_each_of_them_once(
    label_studio: LabelStudio, start_server: StartServer
) -> None:
    connection = connect(label_studio, start_server(KEYWORDS), [f"review {number}" for number in range(100)])
    once_each = {(task, connection.version): 1 for task in connection.tasks}

    label_studio.retrieve_predictions(connection.project)
    assert connection.stored() == once_each

    label_studio.retrieve_predictions(connection.project)
    assert connection.stored() == once_each


def test_an_interactive_call_tells_the_model_what_was_clicked(
    label_studio: LabelStudio, start_server: StartServer
) -> None:
    connection = connect(label_studio, start_server(KEYWORDS), ["anything"])

    answer = label_studio.interact(connection.backend["id"], connection.tasks[0], choice("Negative"))

    assert json.loads(value_of(answer["data"], "seen"))["clicked"] == ["Negative"]
    assert answer["data"]["model_version"] == connection.version


def test_annotating_updating_skipping_and_deleting_reach_fit_in_order(
    label_studio: LabelStudio, start_server: StartServer
) -> None:
    connection = connect(label_studio, start_server(KEYWORDS), ["one", "two", "three"])
    first, second, _ = connection.tasks

    annotation = label_studio.annotate(first, [choice("Positive")])
    label_studio.update_annotation(annotation, [choice("Negative")])
    label_studio.annotate(second, [], skip=True)
    label_studio.delete_annotation(annotation)

    everything = [
        "ANNOTATION_CREATED",
        "ANNOTATION_UPDATED",
        "ANNOTATION_CREATED skipped",
        "ANNOTATION_DELETED",
    ]
    assert settles_at(connection.events, everything)


def test_a_changed_labeling_config_holds_for_the_next_prediction(
    label_studio: LabelStudio, start_server: StartServer
) -> None:
    connection = connect(label_studio, start_server(KEYWORDS), ["positive feelings", "mixed feelings"])
    first, second = connection.tasks
    assert value_of(connection.prediction(first), "sentiment") == "Positive"

    label_studio.change_label_config(connection.project, label_config("Positive", "Negative", "Mixed"))

    assert value_of(connection.prediction(second), "sentiment") == "Mixed"


def test_a_training_shows_in_the_model_page_and_in_the_next_predictions(
    label_studio: LabelStudio, start_server: StartServer
) -> None:
    connection = connect(label_studio, start_server(KEYWORDS), [f"review {number}" for number in range(10)])
    backend = connection.backend["id"]
    label_studio.retrieve_predictions(connection.project)

    label_studio.start_training(backend)
    trained = connection.newer_version()

    assert label_studio.versions(backend) == [trained, connection.version]
    assert label_studio.backend(backend)["model_version"] == trained
    assert connection.events() == ["START_TRAINING"]
    (opened,) = label_studio.next_task(connection.project)["predictions"]
    assert opened["model_version"] == trained
    both = {(task, version): 1 for task in connection.tasks for version in (connection.version, trained)}
    label_studio.retrieve_predictions(connection.project)
    assert connection.stored() == both
    label_studio.retrieve_predictions(connection.project)
    assert connection.stored() == both


def start_locked(start_server: StartServer) -> ServerProcess:
    """A server that wants credentials, and a secret from webhooks."""
    credentials = ("--basic-auth-user", "u", "--basic-auth-pass", "p")
    return start_server(KEYWORDS, *credentials, LABEL_STUDIO_ML_WEBHOOK_SECRET="from-label-studio")


BASIC_AUTH = {"auth_method": "BASIC_AUTH", "basic_auth_user": "u", "basic_auth_pass": "p"}


def test_a_locked_backend_connects_predicts_and_trains_with_basic_auth(
    label_studio: LabelStudio, start_server: StartServer
) -> None:
    server = start_locked(start_server)
    for wrong in ({}, {**BASIC_AUTH, "basic_auth_pass": "guessed"}):
        with pytest.raises(CallError, match="401") as refused:
            connect(label_studio, server, ["one"], **wrong)
        assert refused.value.status == 400

    connection = connect(label_studio, server, ["positive"], **BASIC_AUTH)

    assert value_of(connection.prediction(connection.tasks[0]), "sentiment") == "Positive"
    label_studio.start_training(connection.backend["id"])
    assert connection.newer_version()
    assert connection.events() == ["START_TRAINING"]


def test_a_locked_backend_learns_from_annotations_once_the_webhook_carries_the_secret(
    label_studio: LabelStudio, start_server: StartServer
) -> None:
    connection = connect(label_studio, start_locked(start_server), ["one", "two"], **BASIC_AUTH)
    (webhook,) = label_studio.webhooks(connection.project)
    first, second = connection.tasks

    label_studio.annotate(first, [choice("Positive")])
    label_studio.set_webhook_headers(webhook["id"], {"X-Webhook-Secret": "from-label-studio"})
    label_studio.annotate(second, [], skip=True)

    # Label Studio sends its webhooks before it answers the annotator, so the order here is the order there.
    assert settles_at(connection.events, ["ANNOTATION_CREATED skipped"])


def test_the_text_classifier_learns_from_the_annotations_that_label_studio_already_has(
    label_studio: LabelStudio, start_server: StartServer, tmp_path: Path
) -> None:
    made = run_command("init", "my_text_classifier", "--script", TEXT_CLASSIFIER, cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    good = ["a wonderful film", "wonderful and funny", "what a funny story", "funny, wonderful, warm"]
    bad = ["a boring film", "boring and long", "what a long story", "long, boring, cold"]
    project = label_studio.create_project("reviews", label_config("Positive", "Negative"))
    annotated = label_studio.import_tasks(project, [{"text": text} for text in good + bad])
    for task, label in zip(annotated, ["Positive"] * 4 + ["Negative"] * 4, strict=True):
        label_studio.annotate(task, [choice(label)])
    new = label_studio.import_tasks(project, [{"text": "so wonderful"}, {"text": "so boring"}])

    # Connected only now: no webhook told the backend of these annotations, fit() gets them through the API.
    server = start_server(tmp_path / "my_text_classifier")
    connection = Connection(
        api=label_studio, project=project, tasks=new, backend=label_studio.connect(project, server.url)
    )
    label_studio.start_training(connection.backend["id"])
    trained = connection.newer_version()

    label_studio.retrieve_predictions(project)
    predictions = {one["task"]: one for one in label_studio.predictions(project)}
    assert {one["model_version"] for one in predictions.values()} == {trained}
    assert [value_of(predictions[task], "sentiment") for task in new] == ["Positive", "Negative"]


def test_nobody_waits_while_fit_takes_twenty_seconds_and_no_annotation_is_lost(
    label_studio: LabelStudio, start_server: StartServer
) -> None:
    server = start_server(SLOW_LEARNER, "--train-debounce", "1s")
    connection = connect(label_studio, server, [f"review {number}" for number in range(50)])
    store = Store(server.model_dir)

    def running() -> list[str]:
        return [job["id"] for job in store.read().jobs if job["state"] == "started"]

    label_studio.start_training(connection.backend["id"])
    (first,) = wait_until(running, 60, "fit() to begin")
    taken = []
    for task in connection.tasks:
        started = time.perf_counter()
        label_studio.annotate(task, [choice("Positive")])
        taken.append(time.perf_counter() - started)
    median, slowest = statistics.median(taken), max(taken)
    print(f"50 submits while fit() ran: median {median:.3f} s, slowest {slowest:.3f} s")

    assert running() == [first], "fit() still runs, or this has shown nothing"
    created = [event for event in store.read().events if event["action"] == "ANNOTATION_CREATED"]
    assert len(created) == 50
    wait_until(lambda: store.read().quiet, 120, "the training with all of them")
    answer = label_studio.interact(connection.backend["id"], connection.tasks[0], choice("Positive"))
    assert value_of(answer["data"], "seen") == "50"
    assert connection.newer_version() == label_studio.backend(connection.backend["id"])["model_version"]
    assert [job["state"] for job in store.read().jobs] == ["finished", "finished"]
