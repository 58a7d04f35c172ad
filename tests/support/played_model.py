"""A runner for tests of what is built over one: a test says how the model is and how long it takes to load."""

from __future__ import annotations

import asyncio
from typing import Any

from label_studio_ml.predict.status import ModelStatus
from label_studio_ml.processes.messages import Description

LEARNS = Description("Model", 2, ["ANNOTATION_CREATED"], True, False)
"""A class that learns from new annotations."""

NEVER_LEARNS = Description("Model", 2, ["ANNOTATION_CREATED"], False, False)


class PlayedModel:
    """As much of a runner as handlers use."""

    def __init__(self, status: ModelStatus | None = None) -> None:
        self.status = status or ModelStatus("ready", description=LEARNS)
        self.warmed: list[tuple[str, str | None]] = []
        self.retries = 0
        self.error: Exception | None = None
        """What loading it raises."""
        self.loaded = asyncio.Event()
        self.loaded.set()

    def retry(self) -> None:
        """Called when somebody needs a class that failed."""
        self.retries += 1

    async def warm(self, project_id: str, label_config: str | None) -> str:
        """The name of the version, once it is loaded."""
        self.warmed.append((project_id, label_config))
        await self.loaded.wait()
        if self.error is not None:
            raise self.error
        return "1.2.3"

    async def swap(self, project_id: str, version: int, activate: Any) -> None:
        """Load another version."""
        await activate(f"0.0.{version + 1}")
