"""One real Label Studio for all end-to-end tests, and our server beside it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.label_studio import LabelStudio, LabelStudioServer, cached_venv, install
from scripts.processes import free_port
from tests.support.servers import StartServer, servers


@pytest.fixture(scope="session")
def label_studio_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabelStudioServer]:
    """Label Studio on a free port with an empty data folder; installed first where it never was."""
    install(cached_venv())
    folder = tmp_path_factory.mktemp("label-studio")
    server = LabelStudioServer(cached_venv(), folder / "data", free_port(), folder / "label-studio.log")
    try:
        server.wait_ready()
        yield server
    finally:
        server.stop()


@pytest.fixture
def label_studio(label_studio_server: LabelStudioServer) -> Iterator[LabelStudio]:
    """Label Studio's API. What Label Studio logs during the test is printed for a failure's report."""
    before = len(label_studio_server.log)
    yield label_studio_server.api
    print(label_studio_server.log[before:])


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[StartServer]:
    """Starts servers whose state is kept for the length of the test."""
    with servers(tmp_path / "state") as start:
        yield start
