"""The parts of a server are made in order, and whatever was made is ended again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from label_studio_ml import settings
from label_studio_ml.errors import StoreError, UsageError
from label_studio_ml.model import LabelStudioMLBase
from label_studio_ml.processes.messages import Source
from label_studio_ml.server import services
from label_studio_ml.server.services import open_services
from label_studio_ml.store.database import Database

pytestmark = pytest.mark.anyio


class Model(LabelStudioMLBase):
    def predict(self, tasks: list[dict[str, Any]], context: Any = None, **kwargs: Any) -> Any:
        return []


class Watched(Database):
    """A database that says when it is closed."""

    closed = 0

    def close(self) -> None:
        Watched.closed += 1
        super().close()


@pytest.fixture(autouse=True)
def watched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Watched, "closed", 0)
    monkeypatch.setattr(services, "Database", Watched)


async def test_a_server_in_this_process_is_ready_at_once_and_closed_at_the_end(tmp_path: Path) -> None:
    async with open_services(settings.load({}, model_dir=tmp_path / "made"), Model) as opened:
        assert opened.runner.status.state == "ready"
        assert opened.settings.train_debounce == 0, "tests do not wait for more events"
        assert sorted(path.name for path in (tmp_path / "made").iterdir() if path.is_dir()) == ["jobs", "versions"]
        assert b"label_studio_ml_model_ready 1.0" in opened.metrics.text()
        assert Watched.closed == 0
    assert Watched.closed == 1


async def test_what_was_opened_is_closed_when_the_rest_cannot_be_started(tmp_path: Path) -> None:
    config = settings.load({}, model_dir=tmp_path, preload=str(tmp_path / "missing.xml"))
    with pytest.raises(UsageError, match="--preload: cannot read"):
        async with open_services(config, Source("unused.py")):
            raise AssertionError("it has started")
    assert Watched.closed == 1


async def test_a_model_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="Cannot make the model folder"):
        async with open_services(settings.load({}, model_dir=tmp_path / "file" / "models"), Model):
            raise AssertionError("it has started")
