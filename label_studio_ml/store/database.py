"""The database: SQLite in the model folder, or PostgreSQL by URL.

Any process may read, and sees one point in time. Writes of a process go through one thread, which puts those that
wait together into one commit: under many events at once an fsync is shared. A write returns when it is on disk.
Processes take turns to write, on PostgreSQL as on SQLite, so that no change has to expect another in its middle.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import queue
import re
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

import sqlalchemy
from sqlalchemy import Connection, Engine, event, func, select, text
from sqlalchemy.engine import make_url

from ..errors import StoreError, one_line

P = ParamSpec("P")
T = TypeVar("T")
_Task = tuple[Callable[[Connection], Any], "Future[Any]"]

HEAD = "0002"
"""The migration this code was written for."""

_BATCH = 256
_TURNS = 5021906
"""The lock of PostgreSQL that writers take; any number that nobody else uses."""
_MAGIC = b"SQLite format 3\0"
_log = logging.getLogger(__name__)


class Database:
    """One database, opened by one process."""

    def __init__(self, url: str) -> None:
        """Open the database at an SQLAlchemy URL; for SQLite the file is created, readable by its owner alone.

        Raises:
            StoreError: it cannot be opened.
        """
        self.url = _with_driver(url)
        self._engine = _engine(self.url)
        # SQLite cannot do otherwise.
        self._snapshot = {"isolation_level": "REPEATABLE READ"} if self._is_postgresql else {}
        self._file = _File(self.url)
        self._queue: queue.SimpleQueue[_Task | None] = queue.SimpleQueue()
        self._writer: threading.Thread | None = None
        self._lock = threading.Lock()
        self._closed = False

    @property
    def _is_postgresql(self) -> bool:
        return self._engine.dialect.name == "postgresql"

    def migrate(self) -> None:
        """Bring the schema up to date; the web process does this once, before anything else.

        Raises:
            StoreError: the database is damaged, or newer than this program.
        """
        with self._errors("open"), self._engine.connect() as connection:
            current = _revision(connection)
        if current == HEAD:
            return
        if current is not None:
            if current > HEAD:
                raise StoreError(
                    f"The database {_shown(self.url)} belongs to a newer version of this program: its schema is "
                    f"{current}, this one knows {HEAD}. Install that version, or use another model folder."
                )
            self._back_up(current)
        from . import migrations  # Alembic costs a tenth of a second, needed only here

        with self._errors("migrate"), self._transaction() as connection:
            if _revision(connection) != HEAD:
                migrations.upgrade(connection)

    def read(self, query: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `query(connection, *args, **kwargs)` on this thread and return its result.

        Raises:
            StoreError: the database cannot be read.
        """
        with self._errors("read"), self._engine.connect().execution_options(**self._snapshot) as connection:
            return query(connection, *args, **kwargs)

    def write(self, change: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Make the change `change(connection, *args, **kwargs)` and return its result when it is on disk.

        Raises:
            StoreError: it could not be stored; then nothing of it is.
        """
        return self._submit(_bound(change, *args, **kwargs)).result()

    async def read_async(
        self, query: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """`read` without blocking the event loop."""
        return await asyncio.to_thread(self.read, _bound(query, *args, **kwargs))

    async def write_async(
        self, change: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """`write` without blocking the event loop."""
        return await asyncio.wrap_future(self._submit(_bound(change, *args, **kwargs)))

    def close(self) -> None:
        """Finish what is queued and let go of the file."""
        with self._lock:
            self._closed = True
            writer = self._writer
            if writer is not None:
                self._queue.put(None)
        if writer is not None:
            writer.join()
        self._engine.dispose()
        self._file.close()

    def _submit(self, change: Callable[[Connection], T]) -> Future[T]:
        if threading.current_thread() is self._writer:
            raise RuntimeError("A change must not wait for another one: use the connection it was given.")
        future: Future[T] = Future()
        with self._lock:
            if self._closed:
                raise StoreError("The store is closed.")
            if self._writer is None:
                self._writer = threading.Thread(target=self._write_loop, name="store-writer", daemon=True)
                self._writer.start()
            self._queue.put((change, future))
        return future

    def _write_loop(self) -> None:
        running = True
        while running:
            batch = [self._queue.get()]
            while len(batch) < _BATCH:
                try:
                    batch.append(self._queue.get_nowait())
                except queue.Empty:
                    break
            running = None not in batch
            self._commit([task for task in batch if task is not None])

    def _commit(self, batch: list[_Task]) -> None:
        done: list[tuple[Future[Any], Any]] = []
        # From here on nobody can cancel them: what is done to a cancelled future would end this thread.
        batch = [(change, future) for change, future in batch if future.set_running_or_notify_cancel()]
        if not batch:
            return
        try:
            with self._errors("write"), self._transaction() as connection:
                for change, future in batch:
                    savepoint = connection.begin_nested()
                    try:
                        result = change(connection)
                        savepoint.commit()
                    except sqlalchemy.exc.OperationalError:
                        raise  # the disk or the file: it concerns the whole batch
                    except BaseException as error:  # noqa: BLE001 - it belongs to whoever asked for this change
                        savepoint.rollback()
                        future.set_exception(self._as_store_error("write", error))
                    else:
                        done.append((future, result))
            self._file.check()
        except BaseException as error:  # noqa: BLE001 - every waiter must hear of it
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
        else:
            for future, result in done:
                future.set_result(result)

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[Connection]:
        with self._engine.connect().execution_options(writes=True) as connection, connection.begin():
            if self._is_postgresql:
                connection.execute(select(func.pg_advisory_xact_lock(_TURNS)))
            yield connection

    @contextlib.contextmanager
    def _errors(self, verb: str) -> Iterator[None]:
        try:
            yield
        except sqlalchemy.exc.SQLAlchemyError as error:
            raise self._as_store_error(verb, error) from error

    def _as_store_error(self, verb: str, error: BaseException) -> BaseException:
        """What callers are promised in place of the database's own errors; other errors as they are."""
        if not isinstance(error, sqlalchemy.exc.SQLAlchemyError):
            return error
        cause = getattr(error, "orig", None) or error
        stands_for = StoreError(f"Cannot {verb} the database {_shown(self.url)}: {one_line(cause)}.")
        stands_for.__cause__ = error
        return stands_for

    def _back_up(self, revision: str) -> None:
        path = _sqlite_path(self.url)
        if path is None:
            return
        copy = path.with_name(f"{path.name}.backup-{revision}")
        draft = copy.with_name(f"{copy.name}.{uuid.uuid4().hex}")  # other processes may be doing the same
        try:
            os.close(os.open(draft, os.O_CREAT | os.O_EXCL, 0o600))  # never readable by others, not even at first
            with self._errors("back up"), self._engine.connect() as connection:
                plain = connection.execution_options(transaction=False)  # VACUUM refuses to run in one
                plain.exec_driver_sql("VACUUM INTO ?", (str(draft),))
            draft.replace(copy)
        except OSError as error:
            raise StoreError(f"Cannot back up the database to {copy}: {error.strerror}.") from error
        _log.info("Kept a copy of the database before changing its schema: %s", copy)


def _bound(
    change: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
) -> Callable[[Connection], T]:
    """The change with all that it needs but a connection."""
    return lambda connection: change(connection, *args, **kwargs)


class _File:
    """SQLite's file. SQLite itself goes on writing when it was deleted, and never looks at its header again.

    It is held open: closing it any earlier would drop the locks that SQLite has on it in this process.
    """

    def __init__(self, url: str) -> None:
        self._url, self._path = url, _sqlite_path(url)
        self._fd = None if self._path is None else os.open(self._path, os.O_RDONLY)

    def check(self) -> None:
        """Raise StoreError when what was just written cannot be found again."""
        if self._fd is None or self._path is None:
            return
        try:
            in_place = os.path.samestat(os.fstat(self._fd), self._path.stat())
        except OSError:
            in_place = False
        if not in_place:
            raise StoreError(
                f"Cannot write the database {_shown(self._url)}: its file was deleted or replaced. Put it back, or "
                "restart the server to begin with a new one."
            )
        os.lseek(self._fd, 0, os.SEEK_SET)
        if os.read(self._fd, len(_MAGIC)) not in (b"", _MAGIC):
            raise StoreError(
                f"Cannot write the database {_shown(self._url)}: the beginning of its file is damaged. Stop the "
                "server and restore the file from a copy."
            )

    def close(self) -> None:
        """Let go of it, after SQLite has."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


def _engine(url: str) -> Engine:
    try:
        path = _sqlite_path(url)
        if path is None:
            return sqlalchemy.create_engine(url, pool_pre_ping=True, hide_parameters=True)
    except (sqlalchemy.exc.ArgumentError, sqlalchemy.exc.NoSuchModuleError):
        raise StoreError(
            "The database URL is not understood. Write one like postgresql://user:password@host/name."
        ) from None
    except ImportError as error:
        advice = " Install it with: pip install 'label-studio-ml[postgresql]'" if "psycopg" in str(error) else ""
        raise StoreError(
            f"The database {_shown(url)} needs a package that is not installed: {error}.{advice}"
        ) from error
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)  # if it is new, it is ours alone
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        raise StoreError(f"Cannot open the database {path}: {error.strerror}.") from error
    connect = {"timeout": 10, "check_same_thread": False}
    engine = sqlalchemy.create_engine(url, connect_args=connect, hide_parameters=True)  # they hold tokens

    @event.listens_for(engine, "connect")
    def _connected(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # transactions begin where we say, not where the driver guesses
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # Taking the write lock first cannot fail half-way, as an upgrade from reading to writing can.
        options = connection.get_execution_options()
        if options.get("transaction", True):
            connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get("writes") else "BEGIN")

    return engine


def _revision(connection: Connection) -> str | None:
    if not sqlalchemy.inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _with_driver(url: str) -> str:
    """PostgreSQL's own form of an address, with the driver that we install."""
    return re.sub(r"^postgres(?:ql)?://", "postgresql+psycopg://", url)


def _sqlite_path(url: str) -> Path | None:
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite" or not parsed.database or parsed.database == ":memory:":
        return None
    return Path(parsed.database)


def _shown(url: str) -> str:
    return make_url(url).render_as_string(hide_password=True)
