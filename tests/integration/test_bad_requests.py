"""Requests that are wrong, too large or unlucky: what a client reads, and that the server goes on."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.support.paths import BACKENDS
from tests.support.servers import ServerProcess, StartServer, servers

MEGABYTE = 2**20
JSON_TYPE = {"Content-Type": "application/json"}
GZIP = {**JSON_TYPE, "Content-Encoding": "gzip"}


def tasks(*texts: str) -> dict[str, Any]:
    """The body of a predict call with one task per text."""
    return {"tasks": [{"id": number, "data": {"text": text}} for number, text in enumerate(texts, start=1)]}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with servers(tmp_path_factory.mktemp("troubled")) as start:
        yield start(BACKENDS / "troubled.py", "--max-body-size", "1MB")


@pytest.fixture
def client(server: ServerProcess) -> Iterator[httpx.Client]:
    with server.client() as client:
        yield client


def test_an_unknown_path_is_not_found(client: httpx.Client) -> None:
    reply = client.get("/no/such/path")

    assert reply.status_code == 404
    assert reply.json()["error"]


@pytest.mark.parametrize(("method", "path"), [("GET", "/predict"), ("GET", "/webhook"), ("DELETE", "/health")])
def test_a_wrong_method_is_refused(client: httpx.Client, method: str, path: str) -> None:
    reply = client.request(method, path)

    assert reply.status_code == 405
    assert reply.json()["error"]


@pytest.mark.parametrize("path", ["/predict", "/setup", "/webhook", "/train", "/job_status"])
def test_a_body_that_is_not_json_is_refused_by_that_name(client: httpx.Client, path: str) -> None:
    reply = client.post(path, content=b'{"tasks": [', headers=JSON_TYPE)

    assert reply.status_code == 400
    assert "JSON" in reply.json()["error"]


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/predict", {"tasks": "all"}, "tasks"),
        ("/predict", {}, "tasks"),
        ("/predict", {**tasks("a"), "label_config": 5}, "label_config"),
        ("/predict", {**tasks("a"), "params": []}, "params"),
        ("/setup", {"project": "1", "extra_params": 3}, "extra_params"),
        ("/webhook", {"action": 5}, "action"),
        ("/webhook", {"project": {"id": 1}}, "action"),
        ("/train", {"annotations": None}, "annotations"),
        ("/job_status", {"job": 5}, "job"),
    ],
)
def test_a_wrong_field_is_refused_by_its_name(
    client: httpx.Client, path: str, body: dict[str, Any], field: str
) -> None:
    reply = client.post(path, json=body)

    assert reply.status_code in {400, 422}
    assert field in reply.json()["error"]


def test_unknown_fields_are_ignored(client: httpx.Client) -> None:
    reply = client.post("/predict", json={**tasks("a"), "from_a_newer_label_studio": True})

    assert reply.status_code == 200


def test_a_body_over_the_limit_is_refused(client: httpx.Client) -> None:
    reply = client.post("/predict", json=tasks("a" * 2 * MEGABYTE))

    assert reply.status_code == 413
    assert reply.json()["error"]


def test_a_body_over_the_limit_of_undeclared_length_is_refused(client: httpx.Client) -> None:
    def pieces() -> Iterator[bytes]:
        for _ in range(32):
            yield b" " * 2**16

    reply = client.post("/predict", content=pieces(), headers=JSON_TYPE)

    assert reply.status_code == 413


def test_a_compressed_body_is_understood(client: httpx.Client) -> None:
    reply = client.post("/predict", content=gzip.compress(json.dumps(tasks("a", "b")).encode()), headers=GZIP)

    assert reply.status_code == 200
    assert len(reply.json()["results"]) == 2


def test_a_small_body_that_inflates_beyond_the_limit_is_refused(client: httpx.Client) -> None:
    bomb = gzip.compress(b" " * 64 * MEGABYTE)
    assert len(bomb) < MEGABYTE

    reply = client.post("/predict", content=bomb, headers=GZIP)

    assert reply.status_code == 413


@pytest.mark.parametrize(
    "body", [b"not gzip at all", gzip.compress(b'{"tasks": []}')[:-9]], ids=["something else", "cut off"]
)
def test_a_body_that_is_not_really_compressed_is_refused(client: httpx.Client, body: bytes) -> None:
    reply = client.post("/predict", content=body, headers=GZIP)

    assert reply.status_code == 400
    assert reply.json()["error"]


def test_a_task_whose_prediction_fails_costs_only_itself(client: httpx.Client) -> None:
    reply = client.post("/predict", json=tasks("fine", "raise", "fine too"))

    assert reply.status_code == 200
    first, failed, last = reply.json()["results"]
    assert first["score"] == last["score"] == 0.5
    assert failed == []


@pytest.mark.parametrize("text", ["raise", "crash"])
def test_a_failure_inside_the_model_never_shows_its_inside(client: httpx.Client, text: str) -> None:
    reply = client.post("/predict", json=tasks(text))

    assert "Traceback" not in reply.text
    assert "troubled.py" not in reply.text
    assert "the inside of the model" not in reply.text


def test_the_server_outlives_a_crash_of_the_model(server: ServerProcess, client: httpx.Client) -> None:
    client.post("/predict", json=tasks("crash"))

    reply = client.post("/predict", json=tasks("fine"))

    assert reply.status_code == 200
    assert reply.json()["results"][0]["score"] == 0.5
    assert server.exit_code is None


def test_a_model_that_answers_once_for_many_tasks_is_asked_for_each(start_server: StartServer) -> None:
    server = start_server(BACKENDS / "wrong_length.py")
    with server.client() as client:
        reply = client.post("/predict", json=tasks("a", "b", "c"))

    assert [prediction["score"] for prediction in reply.json()["results"]] == [0.01, 0.02, 0.03]
