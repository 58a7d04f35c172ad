"""A PostgreSQL server of the tests' own: started in an empty folder, gone afterwards."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import text

from label_studio_ml.store import tables
from label_studio_ml.store.database import Database
from scripts.processes import Process, free_port, wait_until
from tests.support.missing import missing

USER = "tests"
_SYSTEM_USER = "postgres"  # PostgreSQL refuses to run as root; Debian's package brings this user


def programs() -> Path:
    """The folder with `initdb` and `postgres`."""
    on_path = shutil.which("initdb")
    found = [Path(on_path).resolve().parent] if on_path else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not found:
        missing("PostgreSQL", "postgresql")
    return found[-1]


@contextlib.contextmanager
def server(folder: Path) -> Iterator[str]:
    """Run a server with its data below `folder`; gives its URL without a database's name."""
    bin_dir, port = programs(), free_port()
    as_user: list[str] = []
    folder.mkdir()
    if os.geteuid() == 0:
        shutil.chown(folder, _SYSTEM_USER)
        for parent in folder.parents:  # pytest's folders are for their owner alone
            if parent.stat().st_uid == 0 and parent.stat().st_mode & 0o777 == 0o700:
                parent.chmod(0o711)
        as_user = ["setpriv", f"--reuid={_SYSTEM_USER}", f"--regid={_SYSTEM_USER}", "--init-groups"]
    env = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
    data, log = folder / "data", folder.parent / f"{folder.name}.log"
    initdb = [*as_user, str(bin_dir / "initdb"), "-D", str(data), "-U", USER, "--auth=trust", "--no-sync"]
    subprocess.run(initdb, check=True, env=env, cwd=folder, stdout=subprocess.DEVNULL)
    options = [f"-p{port}", f"-k{folder}", "-clisten_addresses=127.0.0.1", "-cfsync=off"]
    process = Process(
        [*as_user, str(bin_dir / "postgres"), "-D", str(data), *options], env=env, log_file=log, cwd=folder
    )
    ready: list[str | Path] = [bin_dir / "pg_isready", "-q", "-h127.0.0.1", f"-p{port}"]
    try:
        wait_until(lambda: subprocess.run(ready, check=False).returncode == 0, 60, "PostgreSQL to be ready")
        yield f"postgresql://{USER}@127.0.0.1:{port}"
    finally:
        process.signal(signal.SIGINT)  # without waiting for clients
        process.stop()


def emptied(url: str) -> Database:
    """A database without a row in it."""
    database = Database(url)
    names = ", ".join(f'"{table.name}"' for table in tables.metadata.sorted_tables)
    database.write(lambda connection: connection.execute(text(f"TRUNCATE {names} RESTART IDENTITY CASCADE")))
    return database
