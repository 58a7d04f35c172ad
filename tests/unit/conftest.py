"""What the unit tests share: async tests run on asyncio, properties are tried without a stopwatch."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from label_studio_ml.store.database import Database

settings.register_profile("unit", deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unit")


@pytest.fixture
def anyio_backend() -> str:
    """Tests marked `anyio` run on the event loop that the server uses."""
    return "asyncio"


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with the current schema, made once: to be copied, not opened."""
    path = tmp_path_factory.mktemp("store") / "migrated.db"
    opened = Database(f"sqlite:///{path}")
    opened.migrate()
    opened.close()
    return path


@pytest.fixture
def database(tmp_path: Path, migrated: Path) -> Iterator[Database]:
    """A store of the test's own, with the current schema."""
    opened = Database(f"sqlite:///{shutil.copy(migrated, tmp_path / 'store.db')}")
    yield opened
    opened.close()
