"""[web process] Starts worker processes, each with the device of its place."""

from __future__ import annotations

import itertools
from typing import Any

from ..processes.messages import Configure, Source
from ..settings import Settings
from .process import Process, WorkerEvents


class Launcher:
    """Knows what workers load, under which settings, and on which devices."""

    def __init__(self, source: Source, settings: Settings, forwarded: dict[str, Any]) -> None:
        """Prepare.

        Args:
            source: what the workers load.
            settings: of this server.
            forwarded: the same settings as the workers get them.
        """
        self._source, self._settings, self._forwarded = source, settings, forwarded
        self._devices = settings.devices.replace(",", " ").split()
        self._numbers = itertools.count(1)

    @property
    def count(self) -> int:
        """How many workers there are to be: at least one for each device."""
        return max(self._settings.workers, len(self._devices))

    async def start(self, slot: int, events: WorkerEvents) -> Process:
        """Start a worker for a place; `events` hears what happens to it."""
        worker = Process(f"worker {next(self._numbers)}", slot, self._settings, events)
        environment = {"CUDA_VISIBLE_DEVICES": self._devices[slot % len(self._devices)]} if self._devices else {}
        await worker.start(environment, Configure(worker.name, self._source, self._forwarded))
        return worker
