"""The disk is full, the database locked, damaged or gone: nothing is acknowledged then, and all are told why."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from scripts.processes import free_port, wait_until
from tests.support import request_bodies
from tests.support.paths import BACKENDS
from tests.support.servers import ServerProcess, StartServer, run_command
from tests.support.store_snapshot import Store

LEDGER = BACKENDS / "ledger_generation2.py"
_HEADER = 100
Change = Callable[[], object]


@contextlib.contextmanager
def mounted(folder: Path, options: str) -> Iterator[Path]:
    """A small file system in memory; the test is skipped where it cannot be had."""
    folder.mkdir(parents=True)
    mount = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], capture_output=True, check=False
    )
    if mount.returncode:
        pytest.skip(f"a file system cannot be mounted here: {mount.stderr.decode().strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def complaint(model_dir: Path, cwd: Path) -> str:
    """Start with this model folder, expect failure, and return the one line on standard error."""
    run = run_command("start", BACKENDS / "echo.py", "--port", str(free_port()), "--model-dir", model_dir, cwd=cwd)
    lines = run.stderr.strip().splitlines()
    assert run.returncode not in {0, None}
    assert len(lines) == 1, run.stderr
    return lines[0]


def test_a_model_folder_that_cannot_be_made_is_explained_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    model_dir = tmp_path / "file" / "model-data"

    line = complaint(model_dir, tmp_path)

    assert str(model_dir) in line
    assert "Not a directory" in line


@pytest.mark.parametrize("known", [False, True], ids=["empty", "with a store"])
def test_a_read_only_model_folder_is_explained_in_one_line(tmp_path: Path, known: bool) -> None:
    with mounted(tmp_path / "mounted", "size=2m") as model_dir:
        if known:
            sqlite3.connect(model_dir / "label-studio-ml.db").close()
        subprocess.run(["mount", "-o", "remount,ro", model_dir], check=True)

        line = complaint(model_dir, tmp_path)

    assert str(model_dir) in line
    assert "Read-only" in line


def test_a_full_disk_is_explained_in_one_line_at_the_start(tmp_path: Path) -> None:
    with mounted(tmp_path / "mounted", "size=2m") as model_dir:
        fill(model_dir / "ballast")

        line = complaint(model_dir, tmp_path)

    assert str(model_dir) in line


def test_a_damaged_database_is_explained_in_one_line_at_the_start(
    start_server: StartServer, tmp_path: Path
) -> None:
    server = start_server(BACKENDS / "echo.py")
    store = Store(server.model_dir)
    assert server.stop() == 0
    overwrite(store.path, b"x" * _HEADER)

    line = complaint(server.model_dir, tmp_path)

    assert str(store.path) in line
    assert "not a database" in line


@pytest.fixture
def ledger(tmp_path: Path) -> str:
    """Where the model writes what it learns from."""
    return str(tmp_path / "ledger")


def test_nothing_is_acknowledged_while_the_header_of_the_database_is_damaged(
    start_server: StartServer, ledger: str
) -> None:
    server = start_server(LEDGER, LEDGER=ledger)
    path = Store(server.model_dir).path
    with path.open("rb") as file:
        header = file.read(_HEADER)

    refused_and_then_accepted(
        server,
        fault=lambda: overwrite(path, b"x" * _HEADER),
        mend=lambda: overwrite(path, header),
        told=str(path),
    )


def test_nothing_is_acknowledged_while_the_model_folder_is_missing(start_server: StartServer, ledger: str) -> None:
    server = start_server(LEDGER, LEDGER=ledger)
    elsewhere = server.model_dir.with_name("elsewhere")

    refused_and_then_accepted(
        server,
        fault=lambda: server.model_dir.rename(elsewhere),
        mend=lambda: elsewhere.rename(server.model_dir),
        told=str(server.model_dir),
    )


def test_nothing_is_acknowledged_after_the_model_folder_was_deleted(start_server: StartServer, ledger: str) -> None:
    server = start_server(LEDGER, LEDGER=ledger)
    with server.client() as client:
        accept(client, 1)
        shutil.rmtree(server.model_dir)

        refuse(client, 2, str(server.model_dir))

        assert not server.model_dir.exists()


def test_nothing_is_acknowledged_while_the_database_is_locked(start_server: StartServer, ledger: str) -> None:
    server = start_server(LEDGER, LEDGER=ledger)
    with contextlib.closing(sqlite3.connect(Store(server.model_dir).path, isolation_level=None)) as other:
        refused_and_then_accepted(
            server,
            fault=lambda: other.execute("BEGIN IMMEDIATE"),
            mend=lambda: other.execute("ROLLBACK"),
            told="locked",
        )


def test_nothing_is_acknowledged_while_the_disk_is_full(
    start_server: StartServer, ledger: str, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    state.mkdir()
    with mounted(tmp_path / "mounted", "size=2m") as small:
        (state / "model-data").symlink_to(small)
        server = start_server(LEDGER, LEDGER=ledger)

        refused_and_then_accepted(
            server,
            fault=lambda: fill(small / "ballast"),
            mend=(small / "ballast").unlink,
            told="full",
        )
        server.kill_family()  # before its disk goes


def test_nothing_is_acknowledged_while_files_must_not_grow(start_server: StartServer, ledger: str) -> None:
    server = start_server(LEDGER, LEDGER=ledger)
    _, most = resource.prlimit(server.pid, resource.RLIMIT_FSIZE)

    def limit(size: int) -> None:
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (size, most))

    refused_and_then_accepted(server, fault=lambda: limit(1), mend=lambda: limit(most), told="disk I/O error")


@pytest.mark.parametrize("generation", [1, 2])
def test_the_same_event_twice_counts_as_one_annotation(
    start_server: StartServer, ledger: str, generation: int
) -> None:
    source = BACKENDS / f"ledger_generation{generation}.py"
    server = start_server(source, "--train-every", "2", "--train-debounce", "0s", LEDGER=ledger)
    store = Store(server.model_dir)
    with server.client() as client:
        accept(client, 1)
        accept(client, 1)
        wait_until(lambda: client.get("/health").json()["model"]["state"] == "ready", 60, "the model to be ready")
        assert client.get("/is_training", params={"project": "7"}).json()["is_training"] is False

        accept(client, 2)

        wait_until(lambda: store.read().quiet and store.read().of("7"), 60, "the events to be trained")
    active = store.read().active("7")
    assert store.value("7", active["number"], "seen") == ([1, 2] if generation == 1 else [1, 1, 2])


# --- how the tests above say it ----------------------------------------------------------------------------


def refused_and_then_accepted(server: ServerProcess, *, fault: Change, mend: Change, told: str) -> None:
    """Events are accepted, refused while there is a fault, accepted again; those accepted are learned from."""
    store = Store(server.model_dir)
    with server.client() as client:
        accept(client, 1)
        wait_until(lambda: store.read().quiet, 60, "the first event to be trained")
        fault()
        try:
            refuse(client, 2, told)
            refuse(client, 3, told)
        finally:
            mend()
        accept(client, 4)
        assert client.get("/health").json()["store"] == {"state": "ok"}
        wait_until(lambda: store.read().quiet, 60, "every event to be trained")
    snapshot = store.read()
    stored = snapshot.annotations("7")
    assert [annotation for annotation in stored if annotation in {1, 4}] == [1, 4]
    assert store.value("7", snapshot.active("7")["number"], "seen") == stored
    assert store.is_sound()


def accept(client: httpx.Client, annotation: int) -> None:
    reply = client.post("/webhook", json=request_bodies.annotated(annotation))
    assert reply.status_code == 201, reply.text


def refuse(client: httpx.Client, annotation: int, told: str) -> None:
    reply = client.post("/webhook", json=request_bodies.annotated(annotation))
    assert reply.status_code == 503, reply.text
    assert told in reply.json()["error"]
    health = client.get("/health")
    assert health.status_code == 200
    assert health.json()["store"] == {"state": "failed", "error": reply.json()["error"]}


def overwrite(path: Path, start: bytes) -> None:
    """Change the first bytes of a file in place."""
    with path.open("r+b") as file:
        file.write(start)


def fill(path: Path) -> None:
    """Write a file until the disk is full."""
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(os.urandom(4096))
