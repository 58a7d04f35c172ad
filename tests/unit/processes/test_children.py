"""Children are started, spoken to and ended; nothing that they started is left behind."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from label_studio_ml.processes import children
from label_studio_ml.processes.children import Child
from label_studio_ml.processes.guard import WATCH
from scripts.processes import wait_until
from tests.support.paths import REPOSITORY

PATIENCE = 20.0
FRAMES = [b"", b"a", b"hello", bytes(range(256)), b"\x00\x00\x00\x05"]


class Talk:
    """What a started child says, and when its socket closes."""

    def __init__(self) -> None:
        self.frames: asyncio.Queue[bytes] = asyncio.Queue()
        self.lost = asyncio.Event()
        self.child: Child

    async def start(
        self, module: str = "tests.support.answering_child", environment: dict[str, str] | None = None
    ) -> Child:
        self.child = await children.start(module, environment or {}, self.frames.put_nowait, self.lost.set)
        return self.child

    async def ask(self, frame: bytes) -> bytes:
        self.child.send(frame)
        return await self.hear()

    async def hear(self) -> bytes:
        return await asyncio.wait_for(self.frames.get(), PATIENCE)

    async def end(self) -> str:
        await asyncio.wait_for(self.lost.wait(), PATIENCE)
        return await self.child.ended()


@pytest.fixture
async def talk(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Talk]:
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    made = Talk()
    yield made
    if hasattr(made, "child"):
        made.child.kill()
        await made.child.wait(PATIENCE)


@pytest.mark.anyio
async def test_a_child_is_spoken_to_in_both_directions_also_at_length(talk: Talk) -> None:
    await talk.start()
    large = os.urandom(1 << 20) * 24
    assert await talk.ask(b"hello") == b"hello"
    assert await talk.ask(large) == large
    for frame in FRAMES:
        talk.child.send(frame)
    assert [await talk.hear() for _ in FRAMES] == FRAMES


@pytest.mark.anyio
async def test_a_child_gets_our_environment_and_what_is_added(talk: Talk) -> None:
    await talk.start(environment={"FOR_THE_CHILD": "this"})
    assert await talk.ask(b"environment") == b"this"


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("order", "how"),
    [(b"die 0", "ended with exit code 0"), (b"die 7", "ended with exit code 7"), (b"kill", "was ended by SIGKILL")],
)
async def test_the_end_of_a_child_is_noticed_and_told(talk: Talk, order: bytes, how: str) -> None:
    child = await talk.start()
    child.send(order)
    assert await talk.end() == how
    child.send(b"lost without a fault")


@pytest.mark.anyio
async def test_a_child_that_cannot_even_start_is_noticed(talk: Talk, capfd: pytest.CaptureFixture[str]) -> None:
    await talk.start("tests.unit.no_such_module")
    assert await talk.end() == "ended with exit code 1"
    assert "no_such_module" in capfd.readouterr().err


@pytest.mark.anyio
async def test_a_child_ends_itself_and_what_it_started_when_we_close_the_connection(talk: Talk) -> None:
    child = await talk.start()
    grandchild = int(await talk.ask(b"child"))
    child.connection.close()
    assert await child.wait(PATIENCE)
    await gone(grandchild)


@pytest.mark.anyio
async def test_killing_a_child_ends_what_it_started_too(talk: Talk) -> None:
    child = await talk.start()
    grandchild = int(await talk.ask(b"child"))
    child.kill()
    assert await talk.end() == "was ended by SIGKILL"
    await gone(grandchild)
    child.kill()


@pytest.mark.anyio
async def test_waiting_for_a_child_that_lives_gives_up_after_a_while(talk: Talk) -> None:
    child = await talk.start()
    assert await child.wait(0.01) is False
    assert await talk.ask(b"still here") == b"still here"


async def gone(pid: int) -> None:
    """Wait until a process that is not our child has ended; a zombie that nobody waits for has."""

    def ended() -> bool:
        try:
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
        except OSError:
            return True

    await asyncio.to_thread(wait_until, ended, PATIENCE, f"process {pid} to end")


def test_the_guard_ends_the_groups_that_are_left_when_nobody_writes_any_more() -> None:
    left, ended = (subprocess.Popen(["sleep", "1000"], start_new_session=True) for _ in range(2))
    guard = subprocess.Popen(["/bin/sh", "-c", WATCH], stdin=subprocess.PIPE)
    guard.communicate(f"+ {left.pid}\n+ {ended.pid}\n- {ended.pid}\n".encode(), PATIENCE)
    try:
        assert left.wait(PATIENCE) == -9
        assert ended.poll() is None
    finally:
        for process in (left, ended):
            process.kill()
            process.wait()
