"""Servers for the integration tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.servers import StartServer, servers


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[StartServer]:
    """Starts servers whose state is kept for the length of the test."""
    with servers(tmp_path / "state") as start:
        yield start
