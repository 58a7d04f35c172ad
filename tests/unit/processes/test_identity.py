"""Whether a process that is known by its name has ended: said only where its numbers mean what they mean here."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from label_studio_ml.processes import identity

NAMESPACE = ["unshare", "--pid", "--fork", "--mount-proc"]
NAME = "from label_studio_ml.processes import identity; print(identity.name(), flush=True); input()"
JUDGE = "import sys; from label_studio_ml.processes import identity; print(identity.is_alive(sys.argv[1]))"


@contextmanager
def process(*around: str) -> Iterator[str]:
    """The name of a process that lives as long as the context."""
    command = [*around, sys.executable, "-c", NAME]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        yield child.stdout.readline().strip()
        child.communicate("\n")


def changed(name: str, **parts: str) -> str:
    """A name with other parts: place, number, start, run."""
    named = dict(zip(("place", "number", "start", "run"), name.split("/"), strict=True))
    return "/".join((named | parts).values())


def test_a_process_is_there_until_it_has_ended() -> None:
    with process() as name:
        assert identity.is_alive(name)
    assert identity.is_alive(name) is False
    assert identity.is_alive(identity.name())


def test_another_process_of_the_same_number_is_another() -> None:
    with process() as name:
        assert identity.is_alive(changed(name, start="1")) is False
    assert identity.is_alive(changed(identity.name(), run="before exec()")) is False
    assert identity.is_alive(changed(name, number=str(os.getppid()), start="")) is None


@pytest.mark.parametrize("name", ["", "host", "host/1/x/y", "host/1", "/1/2/3", "//"])
def test_a_name_that_says_too_little_is_doubtful(name: str) -> None:
    assert identity.is_alive(name) is None


def test_a_process_of_another_machine_is_doubtful() -> None:
    with process() as name:
        pass
    assert identity.is_alive(changed(name, place="elsewhere")) is None
    assert identity.is_alive(changed(name, number="none")) is None


def test_where_namespaces_cannot_be_told_apart_every_process_is_doubtful(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity, "_place", lambda: "")
    with process() as name:
        pass
    assert identity.is_alive(name) is None
    assert identity.is_alive(changed(name, place="")) is None


def test_a_process_knows_its_own_name_with_whatever_comes_behind_it() -> None:
    assert identity.is_here(identity.name())
    assert identity.is_here(f"{identity.name()}/x/y")
    assert not identity.is_here(f"{identity.name()}x")


def test_containers_of_one_host_name_do_not_take_each_other_for_dead() -> None:
    if subprocess.run([*NAMESPACE, "true"], check=False, capture_output=True).returncode:
        pytest.skip("process namespaces are not permitted here")

    def judged(name: str, *around: str) -> str:
        command = [*around, sys.executable, "-c", JUDGE, name]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    with process(*NAMESPACE) as one, process(*NAMESPACE) as other, process() as outside:
        assert len({one, other, outside}) == 3
        for name in (one, other, outside):
            assert judged(name, *NAMESPACE) == "None"
            assert judged(name) == ("True" if name == outside else "None")
    assert judged(one, *NAMESPACE) == "None", "in doubt only its lease tells"
    assert judged(outside) == "False"
