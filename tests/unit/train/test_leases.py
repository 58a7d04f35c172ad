"""Whoever runs a job keeps it while its process is there or its lease is renewed, and no longer."""

from __future__ import annotations

import socket
import subprocess
import sys
import time

import pytest

from label_studio_ml.processes import identity
from label_studio_ml.store.jobs import Job, JobState
from label_studio_ml.train import leases

HERE = socket.gethostname()
ELSEWHERE = "another machine/1/2/3/4"


class Clock:
    """A monotonic clock that the test moves."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        monkeypatch.setattr(time, "monotonic", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def job(owner: str, until: float = 0.0) -> Job:
    return Job(
        id="job",
        project_id="1",
        state=JobState.STARTED,
        action="A",
        created_at=0.0,
        lease_owner=owner,
        lease_until=until,
    )


def dead_server() -> str:
    made = "from label_studio_ml.train import leases; print(leases.new_server())"
    return subprocess.run([sys.executable, "-c", made], check=True, capture_output=True, text=True).stdout.strip()


def lost_after(clock: Clock, owner: str, seconds: int, *, step: int = 1, renewed_every: int = 10**9) -> bool:
    """Whether a server that looks every `step` seconds takes the job for left behind at last."""
    watch = leases.Watch()
    found: list[Job] = []
    for passed in range(0, seconds + 1, step):
        clock.now = float(passed)
        found = watch.lost([job(owner, float(passed // renewed_every))])
    return bool(found)


def test_no_two_owners_have_the_same_name_and_each_is_of_its_server() -> None:
    server, other = leases.new_server(), leases.new_server()
    assert server != other
    assert leases.new_owner(server) != leases.new_owner(server)
    assert leases.is_of(leases.new_owner(server), server)
    assert not leases.is_of(leases.new_owner(other), server)
    assert not leases.is_of(None, server)


def test_an_owner_of_this_machine_is_gone_with_its_process_at_once() -> None:
    assert leases.Watch().lost([job(leases.new_owner(dead_server()))])


def test_a_process_that_stands_still_keeps_its_jobs(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity, "is_alive", lambda _: True)
    assert not lost_after(clock, ELSEWHERE, 1000)


@pytest.mark.parametrize("owner", [ELSEWHERE, f"{HERE}/1/x/y", HERE, "", leases.new_owner(leases.new_server())])
def test_of_other_owners_only_the_lease_is_known(clock: Clock, owner: str) -> None:
    assert not lost_after(clock, owner, 30)
    assert lost_after(clock, owner, 31)
    assert not lost_after(clock, owner, 300, renewed_every=20)


@pytest.mark.parametrize("until", [0.0, time.time() - 3600, time.time() + 3600], ids=["never", "over", "to come"])
def test_what_another_clock_says_does_not_count(clock: Clock, until: float) -> None:
    watch = leases.Watch()
    for passed in (0, 20):
        clock.now = float(passed)
        assert not watch.lost([job(ELSEWHERE, until + passed)])


def test_no_time_passes_for_a_server_that_stood_still_itself(clock: Clock) -> None:
    assert not lost_after(clock, ELSEWHERE, 1000, step=1000)
