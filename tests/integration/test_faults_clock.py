"""Somebody sets the clock, an hour back and two forward: trainings go on, in order, with all events."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.processes import wait_until
from tests.support import request_bodies
from tests.support.missing import missing
from tests.support.paths import BACKENDS
from tests.support.servers import StartServer
from tests.support.store_snapshot import Store


@pytest.fixture(scope="module")
def faketime() -> Path:
    """The library that gives processes another clock."""
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    if not found:
        missing("libfaketime", "faketime")
    return found[0]


@pytest.mark.parametrize("generation", [1, 2])
def test_trainings_go_on_in_order_when_the_clock_is_set(
    start_server: StartServer, tmp_path: Path, faketime: Path, generation: int
) -> None:
    clock = tmp_path / "clock"
    clock.write_text("+0")
    server = start_server(
        BACKENDS / f"ledger_generation{generation}.py",
        "--train-debounce",
        "2s",
        LEDGER=str(tmp_path / "ledger"),
        LD_PRELOAD=str(faketime),
        FAKETIME_TIMESTAMP_FILE=str(clock),
        FAKETIME_NO_CACHE="1",
        FAKETIME_DONT_FAKE_MONOTONIC="1",  # the kernel's monotonic clock is not set, either
    )
    store = Store(server.model_dir)

    last = 0

    def learned() -> bool:
        snapshot = store.read()
        return snapshot.quiet and store.value("7", snapshot.active("7")["number"], "seen") == [*range(1, last + 1)]

    with server.client() as client:
        wait_until(lambda: client.get("/health").json()["model"]["state"] == "ready", 60, "the model to be ready")
        for offset in ("+0", "-1h", "+1h"):
            for moment in ("before", "after"):
                if moment == "after":
                    clock.write_text(offset)
                for _ in range(2):
                    last += 1
                    assert client.post("/webhook", json=request_bodies.annotated(last)).status_code == 201
            wait_until(learned, 60, f"all {last} events to be learned from")

    received = [row["received_at"] for row in store.read().events]
    assert max(received) - min(received) > 3500, "the clock was set, or this has shown nothing"
    assert all(job["attempts"] == 1 for job in store.read().jobs)
