"""Frames between the web process and a child arrive whole, however they are cut."""

from __future__ import annotations

import itertools
import socket
import struct
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as some

from label_studio_ml.processes.channel import Channel, Connection

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
