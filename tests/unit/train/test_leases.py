"""Whoever runs a job keeps it while its process is there and its lease is renewed, and no longer."""

from __future__ import annotations

import socket
import subprocess
import sys
import time

import pytest

from label_studio_ml.store.jobs import Job, JobState
from label_studio_ml.train import leases

HERE = socket.gethostname()


def job(owner: str, left: float = 30.0) -> Job:
    return Job(
        id="job",
        project_id="1",
        state=JobState.STARTED,
        action="A",
        created_at=0.0,
        lease_owner=owner,
        lease_until=time.time() + left,
    )


def dead_owner() -> str:
    made = "from label_studio_ml.train import leases; print(leases.new_owner())"
    return subprocess.run([sys.executable, "-c", made], check=True, capture_output=True, text=True).stdout.strip()


def test_no_two_owners_have_the_same_name_and_none_of_this_process_is_gone() -> None:
    one, other = leases.new_owner(), leases.new_owner()
    assert one != other
    assert not leases.is_lost(job(one))
    assert not leases.is_lost(job(other))


def test_an_owner_of_this_machine_is_gone_with_its_process() -> None:
    assert leases.is_lost(job(dead_owner()))


@pytest.mark.parametrize("owner", ["another host/1/x/y", f"{HERE}/1/x/y", HERE, ""])
def test_of_owners_elsewhere_only_the_lease_is_known(owner: str) -> None:
    assert not leases.is_lost(job(owner))
    assert leases.is_lost(job(owner, left=-1.0))
