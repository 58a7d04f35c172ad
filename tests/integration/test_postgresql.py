"""The whole server with its store in PostgreSQL: two servers share it, and no password is shown."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from scripts.processes import wait_until
from tests.support import postgresql, request_bodies
from tests.support.paths import BACKENDS
from tests.support.servers import ServerProcess, servers

pytestmark = pytest.mark.postgresql

TRAINER = BACKENDS / "trainer_generation2.py"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A PostgreSQL database with nothing in it."""
    with postgresql.server(tmp_path_factory.mktemp("postgresql") / "server") as url:
        yield url.replace("tests@", "tests:hunter2@") + "/postgres"


def announced(client: httpx.Client) -> str:
    name: str = client.post("/setup", json=request_bodies.setup()).json()["model_version"]
    return name


def serves(client: httpx.Client, version: str) -> bool:
    prediction = client.post("/predict", json=request_bodies.prediction()).json()["results"][0]
    return bool(prediction["model_version"] == version)


def test_two_servers_train_and_serve_the_same_versions_out_of_one_database(url: str, tmp_path: Path) -> None:
    def start(state: str) -> ServerProcess:
        options = ("--model-dir", str(tmp_path / "shared"))
        return start_server[state](TRAINER, *options, LABEL_STUDIO_ML_DATABASE_URL=url)

    with servers(tmp_path / "a") as start_a, servers(tmp_path / "b") as start_b:
        start_server = {"a": start_a, "b": start_b}
        first, second = start("a"), start("b")
        with first.client() as one, second.client() as other:
            before = announced(one)
            assert announced(other) == before
            for number in range(1, 7):
                client = one if number % 2 else other
                assert client.post("/webhook", json=request_bodies.annotated(number)).status_code == 201

            def trained() -> bool:
                found = one.get("/projects/7/versions").json()["versions"]
                return len(found) == 7 and bool(found[0]["active"])

            wait_until(trained, 90, "six trainings")
            listed = one.get("/projects/7/versions").json()["versions"]
            assert [version["number"] for version in listed] == [6, 5, 4, 3, 2, 1, 0]
            for client in (one, other):
                wait_until(functools.partial(serves, client, listed[0]["version"]), 60, "the newest to predict")
            other.post("/projects/7/activate", json={"version": "1"}).raise_for_status()
            for client in (one, other):
                wait_until(functools.partial(serves, client, listed[-2]["version"]), 60, "version 1 to predict")
            assert "hunter2" not in one.get("/").text + first.log + second.log
    assert not list((tmp_path / "shared").glob("*.db"))
