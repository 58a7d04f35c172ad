"""What is special about PostgreSQL. What holds for every database is tested on both, see `conftest.py`."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text

from label_studio_ml.errors import StoreError
from label_studio_ml.store import jobs, projects, tables, transitions
from label_studio_ml.store.database import Database
from label_studio_ml.store.jobs import JobState
from tests.support.postgresql import emptied, server

pytestmark = pytest.mark.postgresql


@pytest.fixture
def database(postgresql: str) -> Iterator[Database]:
    with contextlib.closing(emptied(postgresql)) as opened:
        yield opened


@pytest.fixture
def other(postgresql: str) -> Iterator[Database]:
    """The same database, opened by another server."""
    with contextlib.closing(Database(postgresql)) as opened:
        yield opened


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_the_address_may_be_written_as_postgresql_writes_it(postgresql: str, scheme: str) -> None:
    address = postgresql.partition("://")[2]
    with contextlib.closing(Database(f"{scheme}://{address}")) as opened:
        assert opened.read(lambda connection: connection.execute(text("SELECT 1")).scalar()) == 1


def test_the_migrated_schema_is_the_one_the_code_describes(database: Database) -> None:
    def differences(connection: Connection) -> object:
        return compare_metadata(MigrationContext.configure(connection), tables.metadata)

    assert database.read(differences) == []


def test_servers_that_claim_at_once_never_run_two_jobs_of_a_project(database: Database, other: Database) -> None:
    names = [str(number) for number in range(10)]

    def fill(connection: Connection) -> None:
        for name in names:
            projects.save(connection, name)
            for _ in range(3):
                jobs.add(connection, name, "ANNOTATION_CREATED")

    database.write(fill)

    def claim_all(opened: Database, owner: str) -> list[str]:
        taken = []
        while (job := opened.write(transitions.claim, owner, 30)) is not None:
            taken.append(job.project_id)
        return taken

    with ThreadPoolExecutor(2) as threads:
        halves = list(threads.map(claim_all, (database, other), ("a", "b")))
    assert sorted(halves[0] + halves[1]) == names
    assert len(database.read(jobs.started)) == 10


def test_the_database_itself_refuses_a_second_running_job(database: Database) -> None:
    def two(connection: Connection) -> None:
        projects.save(connection, "1")
        for _ in range(2):
            jobs.add(connection, "1", "ANNOTATION_CREATED")
        connection.execute(tables.jobs.update().values(state=JobState.STARTED.value))

    with pytest.raises(StoreError, match="uq_jobs_running"):
        database.write(two)


def test_writers_take_turns_and_the_second_sees_what_the_first_did(database: Database, other: Database) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow(connection: Connection) -> None:
        projects.save(connection, "1", label_config="slow")
        begun.set()
        assert go_on.wait(10)

    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(database.write, slow)
        assert begun.wait(10)
        second = threads.submit(other.write, lambda connection: projects.get(connection, "1"))
        time.sleep(0.1)  # long enough to overtake, if that were possible
        assert not second.done()
        go_on.set()
        first.result(10)
        found = second.result(10)
    assert found is not None
    assert found.label_config == "slow"


def test_a_query_of_several_steps_sees_one_point_in_time(database: Database, other: Database) -> None:
    def twice(connection: Connection) -> tuple[int, int]:
        before = len(projects.all_projects(connection))
        other.write(lambda writing: projects.save(writing, "meanwhile"))
        return before, len(projects.all_projects(connection))

    assert database.read(twice) == (0, 0)
    assert len(database.read(projects.all_projects)) == 1


def test_a_server_that_stops_is_explained_without_the_password_and_used_again_when_it_is_back(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("stopping") / "server"
    with server(folder) as url:
        secret = url.replace("tests@", "tests:hunter2@")
        opened = Database(f"{secret}/postgres")
        opened.migrate()
        with psycopg.connect(f"{url}/postgres", autocommit=True) as admin:
            admin.execute(
                "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
                "WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
            )
        opened.write(projects.save, "1")  # on a new connection
    with pytest.raises(StoreError, match="Cannot write the database") as caught:
        opened.write(projects.save, "2")
    assert "hunter2" not in str(caught.value)
    with pytest.raises(StoreError, match="Cannot read the database"):
        opened.read(projects.all_projects)
    opened.close()
