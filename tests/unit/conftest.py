"""What the unit tests share: async tests run on asyncio, properties are tried without a stopwatch."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from label_studio_ml.store.database import Database
from tests.support.host_bench import MakeBench
from tests.support.media_server import MediaServer, media_server
from tests.support.postgresql import emptied, server

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


@pytest.fixture(scope="session")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a PostgreSQL database with the current schema; `emptied` makes it good for another test."""
    with server(tmp_path_factory.mktemp("postgresql") / "server") as url:
        opened = Database(f"{url}/postgres")
        opened.migrate()
        opened.close()
        yield opened.url


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """What is marked `every_database` the store promises on SQLite and on PostgreSQL."""
    if "database" in metafunc.fixturenames and metafunc.definition.get_closest_marker("every_database"):
        postgresql = pytest.param("postgresql", marks=pytest.mark.postgresql)
        metafunc.parametrize("database", ["sqlite", postgresql], indirect=True)


@pytest.fixture
def database(request: pytest.FixtureRequest, tmp_path: Path, migrated: Path) -> Iterator[Database]:
    """A store of the test's own, with the current schema: SQLite unless the test is for both databases."""
    if getattr(request, "param", "sqlite") == "postgresql":
        opened = emptied(request.getfixturevalue("postgresql"))
    else:
        opened = Database(f"sqlite:///{shutil.copy(migrated, tmp_path / 'store.db')}")
    yield opened
    opened.close()


@pytest.fixture
def label_studio() -> Iterator[MediaServer]:
    """A server of files that plays Label Studio."""
    with media_server() as server:
        yield server


@pytest.fixture
def elsewhere() -> Iterator[MediaServer]:
    """A server of files that is somebody else's."""
    with media_server() as server:
        yield server


@pytest.fixture
def bench(tmp_path: Path, database: Database) -> MakeBench:
    """Makes a host of an author's class over a store of the test's own."""
    return MakeBench(tmp_path, database)


@pytest.fixture
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands find none of our settings in the environment."""
    for name in list(os.environ):
        if name.startswith("LABEL_STUDIO") or name in ("MODEL_DIR", "BASIC_AUTH_USER", "BASIC_AUTH_PASS"):
            monkeypatch.delenv(name)
