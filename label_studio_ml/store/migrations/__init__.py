"""Changes of the schema over time, run by Alembic inside a transaction that the caller holds."""

from __future__ import annotations

import threading
from pathlib import Path

import alembic.command
import alembic.config
from sqlalchemy import Connection

_one_at_a_time = threading.Lock()  # Alembic keeps what it works on in globals


def upgrade(connection: Connection, revision: str = "head") -> None:
    """Run the migrations that are missing up to `revision`.

    Raises:
        StoreError: the database was written by a newer program.
    """
    from alembic.util import CommandError

    from ...errors import StoreError

    config = alembic.config.Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["connection"] = connection
    try:
        with _one_at_a_time:
            alembic.command.upgrade(config, revision)
    except CommandError as error:
        raise StoreError(f"The database belongs to another version of this program: {error}.") from error
