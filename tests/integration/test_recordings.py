"""Every request recorded from Label Studio 1.23.2, replayed against the started command."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.support import local_http
from tests.support.paths import BACKENDS, RECORDINGS
from tests.support.servers import ServerProcess, servers

Recording = dict[str, Any]


def load(name: str) -> Recording:
    recording: Recording = json.loads((RECORDINGS / f"{name}.json").read_text())
    return recording


def named(part: str) -> list[Any]:
    """The recordings with this in their name, as parameters of a test."""
    found = sorted(path.stem for path in RECORDINGS.glob("*.json") if part in path.stem)
    assert found, f"no recording is named {part}"
    return [pytest.param(load(name), id=name) for name in found]


def replay(client: httpx.Client, recording: Recording) -> httpx.Response:
    """Send a recorded request, byte for byte what Label Studio's HTTP library would send."""
    body = recording["body"]
    return client.request(
        recording["method"],
        recording["path"],
        headers=recording["headers"],
        content=None if body is None else json.dumps(body).encode(),
    )


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with servers(tmp_path_factory.mktemp("echo")) as start:
        yield start(BACKENDS / "echo.py")


@pytest.fixture(scope="module")
def client(server: ServerProcess) -> Iterator[httpx.Client]:
    with server.client() as client:
        yield client


@pytest.fixture(scope="module")
def announced(client: httpx.Client) -> str:
    """The version that setup announced for the project of the recordings."""
    version = replay(client, load("02-connect-setup")).json()["model_version"]
    assert isinstance(version, str)
    return version


def test_health_says_that_the_server_is_up(client: httpx.Client) -> None:
    reply = replay(client, load("01-connect-health"))

    assert reply.status_code == 200
    assert reply.json()["status"] == "UP"


def test_setup_answers_with_a_version_within_the_three_seconds_it_is_given(client: httpx.Client) -> None:
    client_with_label_studios_patience = local_http.client(str(client.base_url), timeout=3)
    with client_with_label_studios_patience as impatient:
        reply = replay(impatient, load("02-connect-setup"))

    assert reply.status_code == 200
    assert reply.json()["model_version"]


@pytest.mark.parametrize("recording", named("-predict-"))
def test_every_task_gets_one_prediction_of_the_announced_version(
    client: httpx.Client, announced: str, recording: Recording
) -> None:
    reply = replay(client, recording)

    assert reply.status_code == 200, reply.text
    results = reply.json()["results"]
    assert len(results) == len(recording["body"]["tasks"])
    for prediction in results:
        assert prediction["result"]
        assert prediction["score"] == 0.5
        assert prediction["model_version"] == announced


@pytest.mark.parametrize("recording", named("-interactive-"))
def test_an_interactive_call_brings_the_clicked_region_to_predict(
    client: httpx.Client, recording: Recording
) -> None:
    reply = replay(client, recording)

    assert reply.json()["results"][0]["result"] == recording["body"]["params"]["context"]["result"]


@pytest.mark.parametrize("recording", named("-webhook-"))
def test_every_event_is_acknowledged_within_the_second_it_is_given(
    client: httpx.Client, recording: Recording
) -> None:
    with local_http.client(str(client.base_url), timeout=1) as impatient:
        reply = replay(impatient, recording)

    assert reply.is_success, reply.text
    assert reply.json()["status"] == "ok"


def test_an_unknown_event_is_acknowledged(client: httpx.Client) -> None:
    reply = client.post("/webhook", json={"action": "SOMETHING_NEW", "project": {"id": 2}})

    assert reply.is_success, reply.text


def test_versions_holds_the_announced_one(client: httpx.Client, announced: str) -> None:
    reply = replay(client, load("11-versions"))

    assert reply.status_code == 200
    assert announced in reply.json()["versions"]


@pytest.fixture(scope="module")
def locked_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    credentials = ("--basic-auth-user", "u", "--basic-auth-pass", "p")
    with servers(tmp_path_factory.mktemp("locked")) as start:
        yield start(BACKENDS / "echo.py", *credentials, LABEL_STUDIO_ML_WEBHOOK_SECRET="from-label-studio")


def test_the_recorded_credentials_are_accepted(locked_server: ServerProcess) -> None:
    with locked_server.client() as client:
        reply = replay(client, load("14-webhook-start-training-basic-auth"))

    assert reply.is_success, reply.text


@pytest.mark.parametrize("recording", named(""))
def test_without_credentials_everything_but_health_is_refused(
    locked_server: ServerProcess, recording: Recording
) -> None:
    recording["headers"].pop("Authorization", None)
    with locked_server.client() as client:
        reply = replay(client, recording)

    assert reply.status_code == (200 if recording["path"] == "/health" else 401)


def test_wrong_credentials_are_refused(locked_server: ServerProcess) -> None:
    with locked_server.client(auth=("u", "not-p")) as client:
        reply = replay(client, load("03-predict-one-task-on-open"))

    assert reply.status_code == 401
    assert reply.json()["error"]


@pytest.mark.parametrize(("secret", "accepted"), [("from-label-studio", True), ("guessed", False)])
def test_a_webhook_may_show_the_secret_instead_of_credentials(
    locked_server: ServerProcess, secret: str, accepted: bool
) -> None:
    recording = load("06-webhook-annotation-created")
    recording["headers"]["X-Webhook-Secret"] = secret
    with locked_server.client() as client:
        reply = replay(client, recording)

    assert reply.is_success == accepted
    assert accepted or reply.status_code == 401


def test_the_webhook_secret_opens_nothing_else(locked_server: ServerProcess) -> None:
    recording = load("03-predict-one-task-on-open")
    recording["headers"]["X-Webhook-Secret"] = "from-label-studio"
    with locked_server.client() as client:
        reply = replay(client, recording)

    assert reply.status_code == 401
