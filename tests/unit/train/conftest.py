"""What tests of training share."""

from __future__ import annotations

import pytest

from label_studio_ml.store import projects
from label_studio_ml.store.database import Database
from label_studio_ml.train import scheduler, supervisor


@pytest.fixture
def quick(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two projects in the store, and no second between two looks at it."""
    monkeypatch.setattr(scheduler, "_POLL", 0.01)
    monkeypatch.setattr(supervisor, "_POLL", 0.01)
    database.write(lambda connection: [projects.save(connection, name) for name in ("1", "2")])
