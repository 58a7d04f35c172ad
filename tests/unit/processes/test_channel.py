"""The connection to a child process: frames arrive whole, and a child that ends is noticed."""

from __future__ import annotations

import asyncio
import itertools
import os
import socket
import struct
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from label_studio_ml.processes import channel
from label_studio_ml.processes.channel import Channel, Child, Connection
from scripts.processes import wait_until
from tests.support.paths import REPOSITORY

PATIENCE = 20.0
FRAMES = [b"", b"a", b"hello", bytes(range(256)), b"\x00\x00\x00\x05"]


def wire(*frames: bytes) -> bytes:
    return b"".join(struct.pack(">I", len(frame)) + frame for frame in frames)


def heard(*pieces: bytes) -> list[bytes]:
    frames: list[bytes] = []
    connection = Connection(frames.append, lambda: None)
    for piece in pieces:
        connection.data_received(piece)
    return frames


@pytest.fixture
def pair() -> Iterator[tuple[Channel, socket.socket]]:
    """A child's channel and the raw socket at its other end."""
    ours, theirs = socket.socketpair()
    theirs.settimeout(PATIENCE)
    yield Channel(ours), theirs
    ours.close()
    theirs.close()


@pytest.mark.parametrize("place", range(len(wire(*FRAMES)) + 1))
def test_frames_arrive_whole_wherever_the_stream_is_cut(place: int) -> None:
    stream = wire(*FRAMES)
    assert heard(stream[:place], stream[place:]) == FRAMES


def test_frames_arrive_whole_byte_by_byte() -> None:
    assert heard(*(bytes([byte]) for byte in wire(*FRAMES))) == FRAMES


@given(some.lists(some.binary(max_size=50), max_size=8), some.lists(some.integers(0, 400), max_size=8))
def test_any_frames_cut_anywhere_arrive_whole(frames: list[bytes], places: list[int]) -> None:
    stream = wire(*frames)
    cuts = sorted({0, len(stream), *(place for place in places if place < len(stream))})
    assert heard(*(stream[start:end] for start, end in itertools.pairwise(cuts))) == frames


def test_half_a_frame_waits_for_its_other_half() -> None:
    assert heard(wire(b"whole") + wire(b"half")[:-1]) == [b"whole"]


@pytest.mark.parametrize("size", [1, 7])
def test_the_child_reads_frames_whole_however_they_trickle_in(
    pair: tuple[Channel, socket.socket], size: int
) -> None:
    child, other = pair
    stream = wire(*FRAMES)
    pieces = [stream[start : start + size] for start in range(0, len(stream), size)]

    def send() -> None:
        for piece in pieces:
            other.sendall(piece)

    trickle = threading.Thread(target=send)
    trickle.start()
    assert [child.receive() for _ in FRAMES] == FRAMES
    trickle.join(PATIENCE)


def test_the_child_hears_that_the_other_side_is_gone(pair: tuple[Channel, socket.socket]) -> None:
    child, other = pair
    other.sendall(wire(b"last") + wire(b"half a frame")[:-3])
    other.close()
    assert child.receive() == b"last"
    assert child.receive() is None
    assert child.receive() is None
    with pytest.raises(OSError, match="Broken pipe"):
        child.send(b"anybody there?")


def test_frames_sent_from_many_threads_do_not_mix(pair: tuple[Channel, socket.socket]) -> None:
    child, other = pair
    frames = [bytes([number]) * 50_000 for number in range(16)]
    threads = [threading.Thread(target=child.send, args=(frame,)) for frame in frames]
    for thread in threads:
        thread.start()
    received = Channel(other)
    other.settimeout(None)
    found = [received.receive() for _ in frames]
    for thread in threads:
        thread.join(PATIENCE)
    assert sorted(frame or b"" for frame in found) == frames


class Talk:
    """What a started child says, and when its socket closes."""

    def __init__(self) -> None:
        self.frames: asyncio.Queue[bytes] = asyncio.Queue()
        self.lost = asyncio.Event()
        self.child: Child

    async def start(
        self, module: str = "tests.support.channel_child", environment: dict[str, str] | None = None
    ) -> Child:
        self.child = await channel.start(module, environment or {}, self.frames.put_nowait, self.lost.set)
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
