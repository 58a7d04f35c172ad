"""What tests of the store share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Connection

from label_studio_ml.store import projects
from label_studio_ml.store.database import Database


@pytest.fixture
def write(database: Database) -> Callable[[Callable[[Connection], Any]], Any]:
    """Write to a store that knows the projects `1` and `2`."""
    database.write(lambda connection: [projects.save(connection, project_id) for project_id in ("1", "2")])
    return database.write
