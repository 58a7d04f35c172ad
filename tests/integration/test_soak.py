"""A short soak (see benchmarks/soak.py): after thousands of requests the server is right, bounded and alone."""

from __future__ import annotations

import asyncio
import signal

from benchmarks import soak
from scripts.processes import wait_until
from tests.support import obedient, server_state
from tests.support.servers import StartServer

REQUESTS = 6000


def test_thousands_of_requests_of_every_kind_are_answered_rightly_in_bounded_memory(
    start_server: StartServer,
) -> None:
    server = start_server(obedient.source(), *soak.options())

    report = asyncio.run(soak.run(server, REQUESTS, clients=8, seed=1))

    assert not report.wrong
    assert set(report.asked) == {*soak.MIX, "training and crash"}
    lives = report.lives(REQUESTS // 3)
    assert {life.role for life in lives} == {"web", "worker", "guard"}
    for life in lives:
        assert life.late < life.early + 25, life
    assert server_state.health(server)["queued_tasks"] == 0
    server.signal(signal.SIGTERM)
    assert server.wait(30) == 0
    wait_until(lambda: not server.family(), 10, "every process of the server to be gone")


def test_a_leak_would_be_noticed() -> None:
    leaking = [soak.Sample(done, 1, "web", 80 + done / 5_000) for done in range(0, 100_000, 500)]
    steady = [soak.Sample(done, 1, "web", 80 + (done % 3_000) / 1_000) for done in range(0, 100_000, 500)]
    filling = [soak.Sample(done, 1, "web", 80 + min(done, 10_000) / 1_000) for done in range(0, 100_000, 500)]

    assert not soak.life(leaking).flat
    assert round(soak.life(leaking).slope) == 20
    assert soak.life(steady).flat
    assert soak.life(filling).flat
