"""What the unit tests share: async tests run on asyncio, properties are tried without a stopwatch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from label_studio_ml.store.database import Database
from scripts import processes

settings.register_profile("unit", deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unit")


@pytest.fixture
def anyio_backend() -> str:
    """Tests marked `anyio` run on the event loop that the server uses."""
    return "asyncio"


@pytest.fixture
def free_port() -> Callable[[], int]:
    """Gives TCP ports that nothing listens on."""
    return processes.free_port


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """An SQLite file with the current schema."""
    opened = Database(f"sqlite:///{tmp_path / 'store.db'}")
    opened.migrate()
    yield opened
    opened.close()
