"""Frames between the web process and its children: a 4-byte big-endian length and that many bytes."""

from __future__ import annotations

import asyncio
import select
import socket
import struct
import threading
from collections.abc import Callable
from typing import cast

_LENGTH = struct.Struct(">I")


class Channel:
    """[child process] Its end: blocking reads on one thread, writes from any."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._write = threading.Lock()

    def send(self, frame: bytes) -> None:
        """Send one frame; raises OSError when the other side is gone."""
        with self._write:
            self._sock.sendall(_LENGTH.pack(len(frame)) + frame)

    def receive(self) -> bytes | None:
        """Wait for one frame; None when the other side is gone."""
        header = self._exactly(_LENGTH.size)
        return None if header is None else self._exactly(_LENGTH.unpack(header)[0])

    def wait_gone(self) -> None:
        """Wait until the other side is gone; what it sent before may be unread still."""
        poll = select.poll()
        poll.register(self._sock, getattr(select, "POLLRDHUP", 0))  # hanging up is always told
        while not poll.poll():
            pass

    def _exactly(self, count: int) -> bytes | None:
        data = bytearray(count)
        view, done = memoryview(data), 0
        while done < count:
            try:
                got = self._sock.recv_into(view[done:])
            except OSError:
                return None
            if not got:
                return None
            done += got
        return bytes(data)


class Connection(asyncio.Protocol):
    """[web process] Its end, on its event loop."""

    def __init__(self, on_frame: Callable[[bytes], None], on_lost: Callable[[], None]) -> None:
        self._on_frame, self._on_lost = on_frame, on_lost
        self._buffer = bytearray()
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the loop."""
        self._transport = cast("asyncio.WriteTransport", transport)  # uvloop's is one in all but name

    def data_received(self, data: bytes) -> None:
        """Called by the loop: cut what came into frames."""
        self._buffer += data
        buffer, start = self._buffer, 0
        while len(buffer) - start >= _LENGTH.size:
            end = start + _LENGTH.size + _LENGTH.unpack_from(buffer, start)[0]
            if end > len(buffer):
                break
            self._on_frame(bytes(buffer[start + _LENGTH.size : end]))
            start = end
        del buffer[:start]

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - either way the child is gone
        """Called by the loop."""
        self._on_lost()

    def send(self, frame: bytes) -> None:
        """Send one frame; lost if the child is gone, which `on_lost` tells."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.writelines((_LENGTH.pack(len(frame)), frame))

    def close(self) -> None:
        """Close the socket; the child sees the end of its input."""
        if self._transport is not None:
            self._transport.close()
