"""A real Label Studio gets the predictions that were not ready when it asked for them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from label_studio_ml.label_studio import predictions as late
from scripts.label_studio import Json, LabelStudio
from tests.e2e.test_label_studio import Connection, connect
from tests.support.paths import BACKENDS
from tests.support.sentiment_project import choice, label_config, settles_at, value_of
from tests.support.servers import StartServer

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1200)]  # the first test may have to install Label Studio

UNHURRIED = BACKENDS / "unhurried.py"


def prediction(task: int, version: str = "v1") -> Json:
    return {"task": task, "result": [choice("Positive")], "score": 0.25, "model_version": version}


def stored(api: LabelStudio, project: int) -> Counter[tuple[int, str]]:
    """How many predictions each task has of each version."""
    return Counter((one["task"], one["model_version"]) for one in api.predictions(project))


@pytest.fixture(params=["legacy", "personal"])
def token(request: pytest.FixtureRequest, label_studio: LabelStudio) -> Iterator[str]:
    """A token of either kind. A user has one personal token at most, so it is revoked afterwards."""
    if request.param == "legacy":
        yield label_studio.token
        return
    personal = label_studio.personal_token()
    yield personal
    label_studio.call("POST", "/api/token/blacklist/", {"refresh": personal})


@pytest.mark.parametrize("count", [5, 60], ids=["few", "many"])
def test_late_predictions_are_stored_once_and_a_deleted_task_costs_the_others_nothing(
    label_studio: LabelStudio, token: str, count: int
) -> None:
    project = label_studio.create_project("late predictions", label_config("Positive", "Negative"))
    tasks = label_studio.import_tasks(project, [{"text": f"review {number}"} for number in range(count)])
    deleted, predicted, of_another_version, *others = tasks
    label_studio.call("DELETE", f"/api/tasks/{deleted}/")
    label_studio.call("POST", "/api/predictions/", prediction(predicted))
    label_studio.call("POST", "/api/predictions/", prediction(of_another_version, "v11"))
    everything = [prediction(task) for task in tasks]

    assert late.write(label_studio.url, token, project, everything) == count - 2
    assert late.write(label_studio.url, token, project, everything) == 0

    once = Counter((task, "v1") for task in [predicted, of_another_version, *others])
    assert stored(label_studio, project) == once + Counter([(of_another_version, "v11")])
    (shown,) = label_studio.open_task(others[0])["predictions"]
    assert (shown["result"], shown["score"]) == ([choice("Positive")], 0.25)
    assert label_studio.open_task(others[-1])["total_predictions"] == 1


@pytest.fixture
def predicted(tmp_path: Path) -> Path:
    """The file in which the model notes each task that it predicts."""
    return tmp_path / "predicted"


@pytest.fixture
def unhurried(label_studio: LabelStudio, start_server: StartServer, predicted: Path) -> Connection:
    """Eight tasks, and a model that takes a second for each, of which Label Studio waits for three."""
    options = ("--predict-deadline", "3s", "--max-batch-size", "1", "--workers", "1")
    server = start_server(UNHURRIED, *options, PREDICTED=str(predicted))
    return connect(label_studio, server, [f"review {number}" for number in range(8)])


def settles_with_one_each(connection: Connection, predicted: Path) -> bool:
    """Whether soon, and for good, each task has its own prediction, and none was predicted twice."""
    once = Counter((task, connection.version) for task in connection.tasks)
    assert settles_at(connection.stored, once)
    texts = {one["task"]: value_of(one, "seen") for one in connection.api.predictions(connection.project)}
    assert texts == {task: f"review {number}" for number, task in enumerate(connection.tasks)}
    connection.api.retrieve_predictions(connection.project)
    assert sorted(map(int, predicted.read_text().split())) == connection.tasks
    assert connection.stored() == once
    return True


def test_what_was_not_ready_by_the_deadline_is_in_label_studio_a_little_later(
    unhurried: Connection, predicted: Path
) -> None:
    started = time.monotonic()
    unhurried.api.retrieve_predictions(unhurried.project)
    taken = time.monotonic() - started
    at_once = unhurried.stored()
    print(f"Retrieve predictions took {taken:.1f} s and gave {len(at_once)} of 8.")

    assert 0 < len(at_once) < 8
    assert settles_with_one_each(unhurried, predicted)


def test_opening_a_task_whose_prediction_is_late_neither_repeats_nor_doubles_it(
    unhurried: Connection, predicted: Path
) -> None:
    unhurried.api.retrieve_predictions(unhurried.project)
    *_, late_one, last = unhurried.tasks
    assert not {late_one, last} & {task for task, _ in unhurried.stored()}

    opened = [unhurried.api.open_task(task)["predictions"] for task in (last, late_one, last)]

    print(f"Opening late tasks showed {[len(predictions) for predictions in opened]} predictions.")
    assert opened[-1], "what was ready by then is shown"
    assert settles_with_one_each(unhurried, predicted)
