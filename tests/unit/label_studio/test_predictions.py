"""Writing late predictions, against a small server that stores, refuses and fails as Label Studio 1.23.2 does."""

from __future__ import annotations

import json
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from label_studio_ml.errors import LabelStudioError
from label_studio_ml.label_studio import predictions as late
from label_studio_ml.label_studio import retries

Json = dict[str, Any]
PROJECT = 7
TOKEN = "legacy"
IMPORT = f"POST /api/projects/{PROJECT}/import/predictions"
ONE = "POST /api/predictions/"
LOOK = "GET /api/tasks"


@dataclass
class Store:
    """What the server holds and how it misbehaves.

    `failures`: call → what happens to it, one after the other: a status that is answered instead, `lost` (it is
    done, but the answer gets lost), `deleted` (somebody deletes a task just before), `moved` (it is redirected).
    """

    tasks: set[int] = field(default_factory=set)
    stored: list[Json] = field(default_factory=list)
    failures: dict[str, list[int | str]] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    queries: list[Json] = field(default_factory=list)
    bodies: list[int] = field(default_factory=list)
    largest_body: int = 10**9
    number_of_tasks: int = 0  # when not that of `tasks`
    strict: bool = False  # whether an import with something invalid is refused whole
    url: str = ""

    def counted(self) -> Counter[tuple[int, str]]:
        return Counter((one["task"], one["model_version"]) for one in self.stored)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # or each answer waits 40 ms for an acknowledgement of its first half
    store: Store

    def do_GET(self) -> None:
        self.serve("GET")

    def do_POST(self) -> None:
        self.serve("POST")

    def serve(self, method: str) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        address = urlsplit(self.path)
        call, query = f"{method} {address.path}", {key: one[0] for key, one in parse_qs(address.query).items()}
        self.store.calls.append(call)
        failures = self.store.failures.get(call) or [0]
        failure = failures.pop(0)
        if isinstance(failure, int) and failure:
            self.reply(failure, {"detail": f"failing with {failure}"})
        elif failure == "moved":
            self.reply(301, "", Location=self.path)
        elif self.headers.get("Authorization") != f"Token {TOKEN}":
            self.reply(401, {"detail": "Invalid token."})
        elif len(raw) > self.store.largest_body:
            self.reply(413, {"detail": "too large"})
        else:
            if raw:
                self.store.bodies.append(len(raw))
            if failure == "deleted":
                self.store.tasks.remove(max(self.store.tasks))
            status, answer = self.answer(call, query, json.loads(raw or b"null"))
            if failure == "lost":
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
            else:
                self.reply(status, answer)

    def answer(self, call: str, query: dict[str, str], body: Any) -> tuple[int, Any]:
        if call == LOOK and query["project"] == str(PROJECT):
            self.store.queries.append(query)
            wanted = set(json.loads(query["query"])["selectedItems"]["included"]) & self.store.tasks
            page = sorted(wanted)[: int(query["page_size"])]
            of = {task: [one for one in self.store.stored if one["task"] == task] for task in page}
            return 200, {"total": len(wanted), "tasks": [{"id": task, "predictions": of[task]} for task in page]}
        if call == f"GET /api/projects/{PROJECT}/":
            return 200, {"id": PROJECT, "task_number": self.store.number_of_tasks or len(self.store.tasks)}
        if call == "GET /api/predictions/":
            return 200, self.store.stored
        if call == IMPORT:
            return self.bulk(body)
        if call == ONE:
            if reason := self.wrong(body):
                return 400, {"detail": "Validation error", "validation_errors": {"task": [reason]}}
            self.store.stored.append(body)
            return 201, body
        return 404, {"detail": "Not found."}

    def bulk(self, body: list[Json]) -> tuple[int, Any]:
        good = [one for one in body if not self.wrong(one)]
        if any(one["task"] not in self.store.tasks for one in body) or (
            self.store.strict and len(good) < len(body)
        ):
            return 400, {"detail": "Validation error", "validation_errors": {"non_field_errors": ["invalid"]}}
        self.store.stored += good
        return 201, {"created": len(good)}

    def wrong(self, prediction: Json) -> str:
        if prediction["task"] not in self.store.tasks:
            return f'Invalid pk "{prediction["task"]}" - object does not exist.'
        return "" if isinstance(prediction["result"], list) else "Incorrect format"

    def reply(self, status: int, answer: Any, **headers: str) -> None:
        content = json.dumps(answer).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_arguments: Any) -> None:
        """Be quiet."""


@pytest.fixture
def label_studio(monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    monkeypatch.setattr(retries, "PAUSE", 0.001)
    store = Store(tasks=set(range(1, 31)))
    handler = type("Handler", (_Handler,), {"store": store})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        store.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield store
        late._api.cache_clear()
        server.shutdown()
        thread.join()


def prediction(task: int, version: str = "v1", **other: Any) -> Json:
    return {"task": task, "result": [{"from_name": "label"}], "score": 0.5, "model_version": version, **other}


def write(store: Store, *predictions: Json, token: str = TOKEN, project: int = PROJECT, **options: Any) -> int:
    return late.write(store.url, token, project, predictions, **options)


def once(*tasks: int, version: str = "v1") -> Counter[tuple[int, str]]:
    return Counter((task, version) for task in tasks)


FEW, MANY = 5, 30
WAYS = pytest.mark.parametrize(("count", "way"), [(FEW, ONE), (MANY, IMPORT)], ids=["few", "many"])


@WAYS
def test_each_task_gets_its_prediction(label_studio: Store, count: int, way: str) -> None:
    tasks = range(1, count + 1)
    assert write(label_studio, *(prediction(task, score=None) for task in tasks)) == count
    assert label_studio.counted() == once(*tasks)
    assert label_studio.stored[0].items() >= prediction(1, score=None).items()
    assert way in label_studio.calls


@WAYS
def test_what_is_there_already_is_not_written_again(label_studio: Store, count: int, way: str) -> None:
    label_studio.stored = [prediction(1), prediction(2, "v2"), prediction(3, "v11")]
    everything = [prediction(task) for task in range(1, count + 1)]
    assert write(label_studio, *everything) == count - 1
    assert write(label_studio, *everything) == 0
    wanted = once(*range(1, count + 1)) + Counter({(2, "v2"): 1, (3, "v11"): 1})
    assert label_studio.counted() == wanted


@WAYS
def test_a_deleted_task_costs_the_others_nothing(label_studio: Store, count: int, way: str) -> None:
    label_studio.tasks.discard(2)
    assert write(label_studio, *(prediction(task) for task in range(1, count + 1))) == count - 1
    assert label_studio.counted() == once(1, *range(3, count + 1))
    assert label_studio.calls.count(way) == (1 if way == IMPORT else count - 1)


@WAYS
def test_a_task_deleted_in_the_last_moment_costs_the_others_nothing(
    label_studio: Store, count: int, way: str
) -> None:
    label_studio.failures[way] = ["deleted"]
    write(label_studio, *(prediction(task) for task in range(31 - count, 31)))
    assert label_studio.counted() == once(*range(31 - count, 30))


@WAYS
@pytest.mark.parametrize("strict", [True, False])
def test_what_label_studio_refuses_costs_the_others_nothing_and_is_named(
    label_studio: Store, count: int, way: str, strict: bool, caplog: pytest.LogCaptureFixture
) -> None:
    label_studio.strict = strict
    bad = [prediction(2, result="nonsense"), prediction(3, result="nonsense")]
    good = [prediction(task) for task in range(4, count + 1)]
    assert write(label_studio, prediction(1), *bad, *good) == count - 2
    assert label_studio.counted() == once(1, *range(4, count + 1))
    (warning,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert "refused 2 late predictions of project 7. task 2: task: Incorrect format; task 3" in warning


@pytest.mark.parametrize("there", [0, 1])
def test_several_predictions_for_a_task_are_all_written(label_studio: Store, there: int) -> None:
    several = [prediction(1), prediction(1, score=0.1), prediction(1, "other")]
    label_studio.stored = several[:there]
    label_studio.failures = {ONE: [500, 0, 500]}
    assert write(label_studio, *several) == 3 - there
    assert write(label_studio, *several) == 0
    assert [(one["model_version"], one["score"]) for one in label_studio.stored] == [
        ("v1", 0.5),
        ("v1", 0.1),
        ("other", 0.5),
    ]


@WAYS
@pytest.mark.parametrize("failure", [500, 502, 429, "lost"])
def test_a_passing_failure_loses_nothing_and_doubles_nothing(
    label_studio: Store, count: int, way: str, failure: int | str
) -> None:
    label_studio.failures = {LOOK: [failure], way: [0, failure, 0, failure] if way == ONE else [failure]}
    assert write(label_studio, *(prediction(task) for task in range(1, count + 1))) == count
    assert label_studio.counted() == once(*range(1, count + 1))


def test_a_lasting_failure_is_said_and_a_later_call_writes_the_rest(label_studio: Store) -> None:
    label_studio.failures = {ONE: [0, 0, 503, 503]}
    tasks = [prediction(task) for task in range(1, 6)]
    with pytest.raises(
        LabelStudioError, match=r"project 7 could not be written .* failing with 503 \(status 503\)"
    ):
        write(label_studio, *tasks, attempts=2)
    assert label_studio.counted() == once(1, 2)
    assert write(label_studio, *tasks) == 3
    assert label_studio.counted() == once(1, 2, 3, 4, 5)


def test_where_nothing_answers_it_is_said(label_studio: Store) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
    with pytest.raises(LabelStudioError, match=r"Is LABEL_STUDIO_URL right, and is it reachable from here\?"):
        late.write(url, TOKEN, PROJECT, [prediction(1)], attempts=2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"token": "another"}, r"refused the token \(status 401\)\. Set LABEL_STUDIO_API_KEY"),
        ({"project": 8}, "project 8 .* is not there any more, or the token may not see it"),
    ],
)
def test_a_refused_token_and_a_gone_project_are_said_at_once(
    label_studio: Store, options: Json, message: str
) -> None:
    with pytest.raises(LabelStudioError, match=message):
        write(label_studio, prediction(1), **options)
    assert len(label_studio.calls) == 1


def test_an_address_that_redirects_is_not_taken_for_success(label_studio: Store) -> None:
    label_studio.failures[ONE] = ["moved"]  # for which clients make a GET of a POST
    with pytest.raises(LabelStudioError, match="did not store predictions but listed them"):
        write(label_studio, prediction(1))


def test_many_go_in_pages_of_bounded_size(label_studio: Store) -> None:
    label_studio.tasks = set(range(1, 1202))
    assert write(label_studio, *(prediction(task) for task in range(1, 1202))) == 1201
    assert label_studio.counted() == once(*range(1, 1202))
    assert label_studio.calls.count(IMPORT) == 3
    assert (
        max(len(json.loads(query["query"])["selectedItems"]["included"]) for query in label_studio.queries) == 100
    )


def test_large_predictions_go_in_pages_of_bounded_bytes(label_studio: Store) -> None:
    masks = [prediction(task, result=[{"rle": "x" * 500_000}]) for task in range(1, 26)]
    assert write(label_studio, *masks) == 25
    assert label_studio.counted() == once(*range(1, 26))
    assert max(label_studio.bodies) < 4_500_000


def test_a_page_that_is_too_large_for_a_proxy_goes_one_by_one(label_studio: Store) -> None:
    label_studio.largest_body = 2_000
    assert write(label_studio, *(prediction(task) for task in range(1, 31))) == 30
    assert label_studio.counted() == once(*range(1, 31))


def test_a_few_for_a_large_project_do_not_make_it_count_all_its_predictions(label_studio: Store) -> None:
    label_studio.number_of_tasks = 100_000
    assert write(label_studio, *(prediction(task) for task in range(1, 31))) == 30
    assert IMPORT not in label_studio.calls


def test_looking_up_does_not_make_label_studio_predict(label_studio: Store) -> None:
    write(label_studio, prediction(1))
    assert [query["review"] for query in label_studio.queries] == ["true"]


def test_a_project_that_cannot_be_label_studios_is_said(label_studio: Store) -> None:
    with pytest.raises(LabelStudioError, match="'' is no project"):
        late.write(label_studio.url, TOKEN, "", [prediction(1)])
    assert label_studio.calls == []


def test_nothing_to_write_asks_nothing(label_studio: Store) -> None:
    assert write(label_studio) == 0
    assert label_studio.calls == []
