"""The database: migrations, shared commits, and what it says when it cannot work."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, event, text

from label_studio_ml.errors import StoreError
from label_studio_ml.store import database as database_module
from label_studio_ml.store import events, migrations, projects, tables
from label_studio_ml.store.database import Database


def url_of(path: Path) -> str:
    return f"sqlite:///{path}"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def adding(project_id: str) -> Callable[[Connection], Any]:
    return lambda connection: projects.save(connection, project_id)


def ids(database: Database) -> list[str]:
    return [project.id for project in database.read(projects.all_projects)]


def rows(path: Path, query: str) -> list[tuple[Any, ...]]:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


@contextlib.contextmanager
def busy_writer(database: Database) -> Iterator[None]:
    """Keep the writer thread busy, so that what is asked meanwhile shares the next commit."""
    begun, go_on = threading.Event(), threading.Event()

    def hold(_connection: Connection) -> None:
        begun.set()
        assert go_on.wait(10)

    with ThreadPoolExecutor(1) as thread:
        held = thread.submit(database.write, hold)
        assert begun.wait(10)
        try:
            yield
        finally:
            go_on.set()
        held.result(10)


def submitted(database: Database, *changes: Callable[[Connection], Any]) -> list[Future[Any]]:
    with busy_writer(database):
        return [database._submit(change) for change in changes]


# --- writing --------------------------------------------------------------------------------------------


def test_writes_that_wait_together_share_one_commit(database: Database) -> None:
    commits: list[Connection] = []
    event.listen(database._engine, "commit", commits.append)
    futures = submitted(database, *(adding(str(number)) for number in range(50)))
    assert [future.result(10).id for future in futures] == [str(number) for number in range(50)]
    assert len(commits) == 2  # the one that kept the writer busy, and one for all
    assert len(ids(database)) == 50


def test_writers_on_many_threads_all_get_their_own_result(database: Database) -> None:
    commits: list[Connection] = []
    event.listen(database._engine, "commit", commits.append)
    database.write(adding("1"))
    with ThreadPoolExecutor(16) as threads:
        found = list(
            threads.map(
                lambda number: database.write(events.add, "1", "A", b"%d" % number),
                range(200),
            )
        )
    assert sorted(found) == list(range(1, 201))
    stored = database.read(lambda connection: list(events.of_project(connection, "1")))
    assert {one.id: int(one.payload) for one in stored} == {row: number for number, row in enumerate(found)}
    assert len(commits) < 201


def test_a_write_is_on_disk_when_it_returns(database: Database, tmp_path: Path) -> None:
    database.write(adding("1"))
    assert rows(tmp_path / "store.db", "SELECT id FROM projects") == [("1",)]
    assert database.read(lambda connection: connection.execute(text("PRAGMA synchronous")).scalar()) == 2
    assert database.read(lambda connection: connection.execute(text("PRAGMA journal_mode")).scalar()) == "wal"


def test_a_failing_change_does_not_harm_those_it_shares_the_commit_with(database: Database) -> None:
    def fails(connection: Connection) -> None:
        projects.save(connection, "half")
        raise ValueError("mine")

    def orphan(connection: Connection) -> None:
        projects.save(connection, "other half")
        connection.execute(text("INSERT INTO \"values\" VALUES ('nobody', 0, 'k', 'v')"))

    first, bad, worse, last = submitted(database, adding("1"), fails, orphan, adding("2"))
    assert first.result(10).id == "1"
    with pytest.raises(ValueError, match="mine"):
        bad.result(10)
    with pytest.raises(StoreError, match=r"Cannot write the database .*FOREIGN KEY constraint failed"):
        worse.result(10)
    assert last.result(10).id == "2"
    assert ids(database) == ["1", "2"]


def test_a_failure_of_the_database_itself_reaches_everyone_and_the_next_write_works(database: Database) -> None:
    def broken(connection: Connection) -> None:
        connection.execute(text("SELECT * FROM no_such_table"))

    futures = submitted(database, adding("1"), broken)
    for future in futures:
        with pytest.raises(StoreError, match="no such table: no_such_table"):
            future.result(10)
    database.write(adding("2"))
    assert ids(database) == ["2"]


def test_a_change_cancelled_before_its_turn_is_not_made_and_the_others_are(database: Database) -> None:
    with busy_writer(database):
        futures = [database._submit(adding(name)) for name in "123"]
        assert futures[1].cancel()
    assert [future.result(10).id for future in (futures[0], futures[2])] == ["1", "3"]
    assert ids(database) == ["1", "3"]


@pytest.mark.anyio
async def test_the_event_loop_goes_on_while_something_is_written_or_read(database: Database) -> None:
    with busy_writer(database):
        writing = asyncio.ensure_future(database.write_async(adding("1")))
        assert await database.read_async(projects.all_projects) == []
        assert not writing.done()
    assert (await writing).id == "1"
    assert len(await database.read_async(projects.all_projects)) == 1


@pytest.mark.anyio
async def test_whoever_stops_waiting_for_a_write_does_not_harm_the_writer(database: Database) -> None:
    with busy_writer(database):
        given_up = asyncio.ensure_future(database.write_async(adding("1")))
        await asyncio.sleep(0)
        given_up.cancel()
        with pytest.raises(asyncio.CancelledError):
            await given_up
    await database.write_async(adding("2"))
    assert "2" in ids(database)


def test_closing_finishes_what_was_asked_and_refuses_the_rest(database: Database, tmp_path: Path) -> None:
    closing = threading.Thread(target=database.close)
    with busy_writer(database):
        futures = [database._submit(adding(name)) for name in "12"]
        closing.start()
    closing.join(10)
    assert [future.result(0).id for future in futures] == ["1", "2"]
    assert rows(tmp_path / "store.db", "SELECT id FROM projects") == [("1",), ("2",)]
    with pytest.raises(StoreError, match="The store is closed"):
        database.write(adding("3"))
    database.close()


def test_a_change_that_would_wait_for_itself_is_told_so(database: Database) -> None:
    with pytest.raises(RuntimeError, match="must not wait for another one"):
        database.write(lambda _connection: database.write(adding("1")))


def test_a_reading_error_is_told_in_a_sentence(database: Database) -> None:
    with pytest.raises(
        StoreError, match=r"Cannot read the database .*store\.db: OperationalError: no such table: x\."
    ):
        database.read(lambda connection: connection.execute(text("SELECT * FROM x")))


# --- opening --------------------------------------------------------------------------------------------


def test_the_file_and_its_companions_are_readable_by_their_owner_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        database = Database(url_of(tmp_path / "new" / "folder" / "store.db"))
        database.migrate()
        database.write(adding("1"))
        files = list((tmp_path / "new" / "folder").iterdir())
        assert len(files) == 3
        assert {mode(file) for file in files} == {0o600}
        database.close()
    finally:
        os.umask(before)


def test_a_damaged_file_is_told_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "store.db").write_bytes(b"this was never a database" * 100)
    with contextlib.closing(Database(url_of(tmp_path / "store.db"))) as database:
        with pytest.raises(StoreError, match=r"Cannot open the database .*store\.db: .*file is not a database\."):
            database.migrate()
        with pytest.raises(StoreError, match="Cannot write the database"):
            database.write(adding("1"))


def test_a_folder_that_cannot_be_written_is_told_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "file" / "store.db", tmp_path / "file" / "deeper" / "store.db", tmp_path):
        with pytest.raises(StoreError, match=f"^Cannot open the database {path}: .+\\.$"):
            Database(url_of(path))


@pytest.mark.parametrize("url", ["nonsense", "postgresql+nope://host/name", "://"])
def test_a_url_that_is_not_understood_is_told_in_a_sentence(url: str) -> None:
    with pytest.raises(StoreError, match="The database URL is not understood"):
        Database(url)


def test_a_missing_driver_is_named_and_the_password_is_not() -> None:
    with pytest.raises(StoreError, match=r"needs a package that is not installed: .*MySQLdb") as caught:
        Database("mysql://user:hunter2@host/name")
    assert "hunter2" not in str(caught.value)


# --- migrating ------------------------------------------------------------------------------------------


def legible(index: Any) -> dict[str, Any]:
    """An index whose condition is text: SQL expressions cannot be compared."""
    options = {name: str(value) for name, value in index.get("dialect_options", {}).items()}
    return {**index, "dialect_options": options}


def shape(connection: Connection) -> dict[str, Any]:
    """Everything that can be seen of a schema, in a form that can be compared."""
    inspector = sqlalchemy.inspect(connection)
    return {
        name: {
            "columns": [
                (column["name"], str(column["type"]), column["nullable"], column["default"])
                for column in inspector.get_columns(name)
            ],
            "key": inspector.get_pk_constraint(name),
            "foreign": sorted(inspector.get_foreign_keys(name), key=str),
            "unique": sorted(inspector.get_unique_constraints(name), key=str),
            "indexes": sorted(map(legible, inspector.get_indexes(name)), key=str),
        }
        for name in inspector.get_table_names()
        if name != "alembic_version"
    }


def test_the_migrated_schema_is_the_one_the_code_describes(database: Database) -> None:
    fresh = sqlalchemy.create_engine("sqlite://")
    with fresh.connect() as connection:
        tables.metadata.create_all(connection)
        described = shape(connection)
    fresh.dispose()
    assert database.read(shape) == described
    assert set(described) == {"projects", "versions", "values", "jobs", "events", "counted_annotations"}

    def differences(connection: Connection) -> Any:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return compare_metadata(context, tables.metadata)

    assert database.read(differences) == []


def test_the_newest_migration_is_the_one_the_code_was_written_for(database: Database) -> None:
    assert database.read(database_module._revision) == database_module.HEAD


def test_migrating_again_changes_nothing(database: Database, tmp_path: Path) -> None:
    database.write(adding("1"))
    before = database.read(shape)
    database.migrate()
    with contextlib.closing(Database(database.url)) as again:
        again.migrate()
    assert database.read(shape) == before
    assert ids(database) == ["1"]
    assert not list(tmp_path.glob("*.backup-*"))


def test_processes_that_migrate_at_once_do_not_disturb_each_other(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from label_studio_ml.store import projects\n"
        "from label_studio_ml.store.database import Database\n"
        "database = Database(sys.argv[1]); sys.stdin.readline(); database.migrate()\n"
        "database.write(lambda connection: projects.save(connection, sys.argv[2])); database.close()"
    )
    arguments = [sys.executable, "-c", code, url_of(tmp_path / "store.db")]
    started = [
        subprocess.Popen([*arguments, name], stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for name in "123"
    ]
    for process in started:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    said = [process.communicate(timeout=60)[1] for process in started]
    assert [process.returncode for process in started] == [0, 0, 0], said
    assert sorted(rows(tmp_path / "store.db", "SELECT id FROM projects")) == [("1",), ("2",), ("3",)]


def test_a_database_of_a_newer_program_is_refused_and_left_alone(database: Database, tmp_path: Path) -> None:
    database.write(lambda connection: connection.execute(text("UPDATE alembic_version SET version_num = '9999'")))
    with pytest.raises(StoreError, match="belongs to a newer version of this program: its schema is 9999"):
        database.migrate()
    assert database.read(database_module._revision) == "9999"
    assert not list(tmp_path.glob("*.backup-*"))


def test_a_revision_nobody_knows_is_refused(database: Database) -> None:
    database.write(lambda connection: connection.execute(text("UPDATE alembic_version SET version_num = '0000'")))
    with pytest.raises(StoreError, match=r"belongs to another version of this program: .*'0000'"):
        database.migrate()


@pytest.fixture
def next_schema(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """The program as it will be one migration later."""

    def upgrade(connection: Connection) -> None:
        connection.execute(text("ALTER TABLE projects ADD COLUMN colour TEXT"))
        connection.execute(text("UPDATE alembic_version SET version_num = '0003'"))

    monkeypatch.setattr(database_module, "HEAD", "0003")
    monkeypatch.setattr(migrations, "upgrade", upgrade)


@pytest.mark.usefixtures("next_schema")
def test_a_copy_is_kept_before_the_schema_changes(database: Database, tmp_path: Path) -> None:
    database.write(adding("1"))
    (tmp_path / "store.db.backup-0002").write_text("an older copy")
    before = os.umask(0)
    try:
        database.migrate()
    finally:
        os.umask(before)
    copy = tmp_path / "store.db.backup-0002"
    assert rows(copy, "SELECT id FROM projects") == [("1",)]
    assert rows(copy, "SELECT version_num FROM alembic_version") == [("0002",)]
    assert mode(copy) == 0o600
    assert rows(tmp_path / "store.db", "SELECT id, colour FROM projects") == [("1", None)]
    assert [file.name for file in tmp_path.glob("*backup*")] == [copy.name]


@pytest.mark.usefixtures("next_schema")
def test_a_migration_that_fails_half_way_changes_nothing(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = database.read(shape)

    def upgrade(connection: Connection) -> None:
        connection.execute(text("DROP TABLE events"))
        connection.execute(text("ALTER TABLE nowhere ADD COLUMN colour TEXT"))

    monkeypatch.setattr(migrations, "upgrade", upgrade)
    with pytest.raises(StoreError, match=r"Cannot migrate the database .*no such table: nowhere"):
        database.migrate()
    assert database.read(shape) == before
