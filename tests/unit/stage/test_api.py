"""Label Studio as it is played: what it answers, and what it refuses."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from label_studio_ml.label_studio import client
from label_studio_ml.model import LabelStudioMLBase
from label_studio_ml.stage.api import Stage

TASKS = [
    {"id": number, "data": {"text": "a"}, "annotations": [{"id": number}] if number % 2 else []}
    for number in range(1, 8)
]


@pytest.fixture
def stage() -> Iterator[Stage]:
    with Stage("3", "<View/>") as stage:
        stage.show(TASKS)
        yield stage


def get(stage: Stage, path: str, token: str | None = None) -> httpx.Response:
    header = {"Authorization": f"Token {stage.token if token is None else token}"}
    return httpx.get(stage.hostname + path, headers=header, trust_env=False)


def test_media_are_served_to_who_has_the_token(stage: Stage) -> None:
    address = stage.publish("image.png", b"\x89PNG")
    assert address.startswith("/data/upload/3/")
    for path in (address, f"/storage-data/uploaded/?filepath={address.removeprefix('/data/')}"):
        reply = get(stage, path)
        assert (reply.status_code, reply.content, reply.headers["content-type"]) == (200, b"\x89PNG", "image/png")
        assert get(stage, path, "wrong").status_code == 401
    assert get(stage, "/data/upload/3/../../etc/passwd").status_code == 404


def test_another_content_has_another_address(stage: Stage) -> None:
    assert stage.publish("a.txt", b"1") != stage.publish("a.txt", b"2")


def test_a_model_fetches_media_from_it(stage: Stage, tmp_path: Path) -> None:
    address = stage.publish("note.txt", b"hello")
    model = LabelStudioMLBase(hostname=stage.hostname, access_token=stage.token)
    path = model.get_local_path(address, cache_dir=str(tmp_path), task_id=1)
    assert Path(path).read_bytes() == b"hello"


def test_the_sdk_reads_the_project_and_its_tasks(stage: Stage) -> None:
    connection = client.sdk_client(stage.hostname, stage.token)
    assert client.project(connection, "3")["label_config"] == "<View/>"
    assert [task["id"] for task in client.first_tasks(connection, "3", 2)] == [1, 2]
    assert [task["id"] for task in client.annotated_tasks(connection, "3")] == [1, 3, 5, 7]
    assert connection.projects.get(id=3).title == "Sample project"
    assert [task.id for task in connection.tasks.list(project=3, page_size=3)] == [1, 2, 3, 4, 5, 6, 7]
    assert len(get(stage, "/api/projects/3/export?exportType=JSON").json()) == 4
    assert get(stage, "/api/tasks/2/").json() == TASKS[1]


def test_what_is_not_played_is_refused_and_remembered(stage: Stage) -> None:
    assert get(stage, "/api/users/?page=1").status_code == 404
    reply = httpx.post(f"{stage.hostname}/api/tasks/", json={"data": {}}, trust_env=False)
    assert reply.status_code == 404
    assert stage.unknown == ["GET /api/users/", "POST /api/tasks/"]
