"""[trainer process] The log of one job: whatever is printed or logged while it runs, also by C code."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from .. import logs

LIMIT = 5 * 2**20
"""Bytes after which the file is put aside (once) and begun anew: the last part is always kept."""

_PATIENCE = 2.0


@contextlib.contextmanager
def captured(path: Path) -> Iterator[None]:
    """Copy standard output and error of this process into a file, without secrets, while they still go out."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _flush()
    reader, writer = os.pipe()
    saved = [os.dup(1), os.dup(2)]
    thread = threading.Thread(target=_copy, args=(reader, saved[1], path), name="job-log", daemon=True)
    thread.start()
    for stream in (1, 2):
        os.dup2(writer, stream)
    os.close(writer)
    try:
        yield
    finally:
        _flush()
        for stream, original in zip((1, 2), saved, strict=True):
            os.dup2(original, stream)
        os.close(saved[0])
        thread.join(_PATIENCE)  # something that fit() started may keep the pipe open for longer


def _copy(reader: int, out: int, path: Path) -> None:
    size = 0
    with os.fdopen(reader, "rb", buffering=0) as source, os.fdopen(out, "wb", buffering=0) as copy:
        file = path.open("ab")
        rest = b""
        while chunk := source.read(65536):
            with contextlib.suppress(OSError):
                copy.write(chunk)
            *lines, rest = (rest + chunk).split(b"\n")
            if len(rest) > 65536:
                lines, rest = [*lines, rest], b""
            text = b"".join(logs.redact(line.decode(errors="replace")).encode() + b"\n" for line in lines)
            size += len(text)
            with contextlib.suppress(OSError):  # a full disk must not end a training
                file.write(text)
                file.flush()
                if size > LIMIT:
                    file.close()
                    path.replace(path.with_name(path.name + ".1"))
                    file, size = path.open("ab"), 0
        with contextlib.suppress(OSError):
            file.write(logs.redact(rest.decode(errors="replace")).encode())
            file.close()


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
