"""What `fit()` gets: a project's annotated tasks, from Label Studio or from events, read as a sequence."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as some
from sqlalchemy import Connection

from label_studio_ml import settings
from label_studio_ml.errors import LabelStudioError
from label_studio_ml.store import events, projects
from label_studio_ml.store.database import Database
from label_studio_ml.train.annotations import AnnotatedTasks, collect


def task(number: int, *annotations: int) -> dict[str, Any]:
    text = f"line one\nline two {number} \u2028 ä日"
    return {"id": number, "data": {"text": text}, "annotations": [{"id": one} for one in annotations]}


ALL = [task(number, number * 10) for number in range(5)]


@pytest.fixture
def tasks(tmp_path: Path) -> AnnotatedTasks:
    return AnnotatedTasks(tmp_path / "tasks.jsonl", iter(ALL))


def test_it_is_as_long_as_what_was_put_in(tasks: AnnotatedTasks) -> None:
    assert len(tasks) == 5
    assert bool(tasks)


def test_tasks_are_found_by_their_place_from_either_end(tasks: AnnotatedTasks) -> None:
    assert [tasks[place] for place in range(5)] == ALL
    assert [tasks[place] for place in range(-5, 0)] == ALL
    for place in (5, -6, 100):
        with pytest.raises(IndexError):
            tasks[place]
    with pytest.raises(TypeError):
        tasks["0"]  # type: ignore[call-overload]


def test_it_is_gone_through_as_often_as_wanted(tasks: AnnotatedTasks) -> None:
    assert list(tasks) == list(tasks) == ALL
    assert list(reversed(tasks)) == ALL[::-1]


def test_readers_do_not_disturb_each_other(tasks: AnnotatedTasks) -> None:
    one, other = iter(tasks), iter(tasks)
    found = [next(one), next(other), next(one), tasks[4], next(other), next(one)]
    assert found == [ALL[0], ALL[0], ALL[1], ALL[4], ALL[1], ALL[2]]
    assert [list(one), list(other)] == [ALL[3:], ALL[2:]]
    assert [(a["id"], b["id"]) for a in tasks for b in tasks] == [(a, b) for a in range(5) for b in range(5)]


def test_it_serves_wherever_a_sequence_does(tasks: AnnotatedTasks) -> None:
    assert ALL[3] in tasks
    assert {"id": 9} not in tasks
    assert tasks.index(ALL[2]) == 2
    assert tasks.count(ALL[2]) == 1
    assert sorted(tasks, key=lambda one: -one["id"]) == ALL[::-1]


@given(some.slices(7))
def test_slices_are_those_of_a_list(tmp_path_factory: pytest.TempPathFactory, part: slice) -> None:
    tasks = AnnotatedTasks(tmp_path_factory.getbasetemp() / "sliced.jsonl", ALL)
    assert tasks[part] == ALL[part]


def test_an_empty_set_is_empty(tmp_path: Path) -> None:
    tasks = AnnotatedTasks(tmp_path / "tasks.jsonl", ())
    assert (len(tasks), list(tasks), tasks[:], bool(tasks)) == (0, [], [], False)
    with pytest.raises(IndexError):
        tasks[0]


def test_tasks_are_written_as_they_come_not_held_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "tasks.jsonl"

    def come() -> Iterator[dict[str, Any]]:
        for number in range(2000):
            if number == 1999:
                assert path.stat().st_size > 0
            yield task(number, 1)

    tasks = AnnotatedTasks(path, come())
    assert (len(tasks), tasks[1999]) == (2000, task(1999, 1))


class FakeLabelStudio(ThreadingHTTPServer):
    """Gives tasks page by page over a real socket, or refuses to."""

    status = 200

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.tasks: list[dict[str, Any]] = []
        self.pages: list[int] = []
        self.gone_at = 0


class Pages(BaseHTTPRequestHandler):
    server: FakeLabelStudio

    def do_GET(self) -> None:
        query = parse_qs(urlsplit(self.path).query)
        page, size = int(query["page"][0]), int(query["page_size"][0])
        self.server.pages.append(page)
        body = {"tasks": self.server.tasks[(page - 1) * size : page * size], "total": len(self.server.tasks)}
        self.send_response(404 if page == self.server.gone_at else self.server.status)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *_arguments: Any) -> None:
        """Be quiet."""


def collected(database: Database, tmp_path: Path, *happened: tuple[str, dict[str, Any]], **options: Any) -> Any:
    """What `collect` gives for a job that took up the last of these events."""

    def store(connection: Connection) -> tuple[Any, list[events.Event]]:
        project = projects.save(connection, "1", hostname=options.get("hostname"), access_token="t")
        for action, data in happened:
            events.add(connection, "1", action, json.dumps(data).encode())
        return project, list(events.of_project(connection, "1"))[-1:]

    project, job_events = database.write(store)
    if options.get("reached"):
        database.write(projects.reached, "1")
        project = database.read(projects.get, "1")
    config = settings.load({}, model_dir=tmp_path)
    tasks, source = collect(project, job_events, config, database, tmp_path / "tasks.jsonl")
    return [(one["id"], [each["id"] for each in one["annotations"]]) for one in tasks], source


def made(number: int, of: int) -> tuple[str, dict[str, Any]]:
    return "ANNOTATION_CREATED", {"annotation": {"id": number, "task": of}, "task": task(of)}


def test_without_label_studio_the_events_tell_the_annotated_tasks(database: Database, tmp_path: Path) -> None:
    assert collected(database, tmp_path, made(5, 1), made(6, 2)) == ([(1, [5]), (2, [6])], "events")


def test_the_tasks_that_come_with_the_request_are_taken(database: Database, tmp_path: Path) -> None:
    whole = ("START_TRAINING", {"annotations": [task(7, 70), task(8)], "project": 1})
    assert collected(database, tmp_path, made(5, 1), whole) == ([(7, [70])], "request")


@pytest.fixture
def label_studio() -> Iterator[FakeLabelStudio]:
    server = FakeLabelStudio(("127.0.0.1", 0), Pages)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_label_studio_itself_is_asked_first(
    database: Database, tmp_path: Path, label_studio: FakeLabelStudio
) -> None:
    label_studio.tasks = [task(number, number) for number in range(1, 251)]
    found, source = collected(database, tmp_path, made(5, 1), hostname=label_studio.url)
    assert source == "label-studio"
    assert found == [(number, [number]) for number in range(1, 251)]
    assert label_studio.pages == [1, 2, 3]


def test_a_label_studio_that_refuses_is_replaced_by_events(
    database: Database, tmp_path: Path, label_studio: FakeLabelStudio, caplog: pytest.LogCaptureFixture
) -> None:
    label_studio.status = 401
    assert collected(database, tmp_path, made(5, 1), hostname=label_studio.url) == ([(1, [5])], "events")
    assert "Training on the 1 tasks that events brought instead" in caplog.text


def test_without_label_studio_and_without_events_there_is_an_error(
    database: Database, tmp_path: Path, label_studio: FakeLabelStudio
) -> None:
    label_studio.status = 403
    with pytest.raises(LabelStudioError, match="refused its token for the tasks of project 1"):
        collected(database, tmp_path, hostname=label_studio.url)


def reached_at(database: Database) -> float | None:
    project = database.read(projects.get, "1")
    assert project is not None
    return project.reached_at


def test_a_label_studio_that_answers_is_remembered_and_one_that_refuses_is_not(
    database: Database, tmp_path: Path, label_studio: FakeLabelStudio
) -> None:
    label_studio.status = 401
    collected(database, tmp_path, made(5, 1), hostname=label_studio.url)
    assert reached_at(database) is None
    label_studio.status, label_studio.tasks = 200, []
    assert collected(database, tmp_path, made(5, 1), hostname=label_studio.url) == ([], "label-studio")
    assert reached_at(database) is not None


@pytest.mark.parametrize("status", [401, 404])
def test_a_label_studio_that_has_answered_before_is_waited_for_and_not_replaced_by_events(
    database: Database, tmp_path: Path, label_studio: FakeLabelStudio, status: int
) -> None:
    label_studio.status = status
    with pytest.raises(LabelStudioError, match=r"Set LABEL_STUDIO_API_KEY|Is LABEL_STUDIO_URL right"):
        collected(database, tmp_path, made(5, 1), hostname=label_studio.url, reached=True)


def test_a_label_studio_that_goes_away_in_mid_fetch_is_waited_for_too(
    database: Database, tmp_path: Path, label_studio: FakeLabelStudio
) -> None:
    label_studio.tasks = [task(number, number) for number in range(1, 251)]
    label_studio.gone_at = 2
    with pytest.raises(LabelStudioError, match=r"did not give the tasks of project 1 \(page 2\)"):
        collected(database, tmp_path, made(5, 1), hostname=label_studio.url, reached=True)
    label_studio.gone_at = 0
    assert len(collected(database, tmp_path, made(6, 2), hostname=label_studio.url)[0]) == 250


def test_a_request_that_brings_its_tasks_needs_no_label_studio(
    database: Database, tmp_path: Path, label_studio: FakeLabelStudio
) -> None:
    label_studio.status = 500
    whole = ("START_TRAINING", {"annotations": [task(7, 70)], "project": 1})
    assert collected(database, tmp_path, whole, hostname=label_studio.url, reached=True)[1] == "request"


def test_an_address_where_nothing_has_ever_answered_does_not_hold_a_training_up(
    database: Database, tmp_path: Path
) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
    started = time.monotonic()
    assert collected(database, tmp_path, made(5, 1), hostname=url) == ([(1, [5])], "events")
    assert time.monotonic() - started < 5, "one repetition, and not a dozen"
