"""Small real files: images, sounds, videos, time series, documents; a number tells one from the next.

Pure functions from a number to the bytes of a file.
"""

from __future__ import annotations

import datetime
import io
import json
import math
import struct
import wave
from collections.abc import Sequence

WIDTH, HEIGHT = 320, 240
"""Size in pixels of images and videos."""
FRAMES, FRAMES_PER_SECOND = 25, 25
SECONDS = 2.0
"""Length of sounds."""
ROWS = 100
"""Length of time series."""

_COLOURS = [(200, 60, 50), (50, 140, 80), (60, 90, 190), (220, 170, 40)]
_SENTENCES = [
    "The soup was wonderful and the waiter was friendly.",
    "My order from Berlin came late, and the box was broken.",
    "Anna Weber joined Northwind in March 2021 as an engineer.",
    "The room was small, but the view over the harbour was great.",
    "Please call me back tomorrow about the invoice.",
    "It rained all day, so we read books and drank tea.",
]


def sentence(number: int) -> str:
    """A short text.

    >>> sentence(0)
    'The soup was wonderful and the waiter was friendly.'
    """
    return _SENTENCES[number % len(_SENTENCES)] + ("" if number < len(_SENTENCES) else f" ({number})")


def dialogue(number: int) -> list[tuple[str, str]]:
    """Who says what."""
    return [("Ada", "How was your day?"), ("Ben", sentence(number)), ("Ada", "I see. Tell me more.")]


def html(number: int) -> str:
    """A short web page."""
    return f"<div><h1>Sample {number + 1}</h1><p>{sentence(number)}</p></div>"


def image(number: int) -> bytes:
    """A PNG picture: a rectangle and a disc on a background, their places and colours by number."""
    return _encoded(number, 0, "PNG")


def pdf(number: int) -> bytes:
    """A PDF document of one page."""
    return _encoded(number, 0, "PDF")


def sound(number: int, rate: int = 16000) -> bytes:
    """A WAV file, mono, 16 bits: a tone that swells and fades."""
    total = int(rate * SECONDS)
    pitch = 220.0 * 2 ** (number % 12 / 12)
    samples = (
        int(12000 * math.sin(math.pi * step / total) * math.sin(2 * math.pi * pitch * step / rate))
        for step in range(total)
    )
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(b"".join(struct.pack("<h", sample) for sample in samples))
    return buffer.getvalue()


def video(number: int) -> bytes:
    """An AVI file (Motion JPEG, no sound) of one second in which the disc moves."""
    frames = [_encoded(number, step, "JPEG") for step in range(FRAMES)]
    largest = max(map(len, frames))
    header = struct.pack(
        "<14I",
        1_000_000 // FRAMES_PER_SECOND,
        largest * FRAMES_PER_SECOND,
        *(0, 0x10, FRAMES, 0, 1, largest, WIDTH, HEIGHT, 0, 0, 0, 0),
    )
    stream = b"vidsMJPG" + struct.pack(
        "<10I4H", 0, 0, 0, 1, FRAMES_PER_SECOND, 0, FRAMES, largest, 0xFFFFFFFF, 0, 0, 0, WIDTH, HEIGHT
    )
    bitmap = struct.pack("<IiiHH4sIiiII", 40, WIDTH, HEIGHT, 1, 24, b"MJPG", WIDTH * HEIGHT * 3, 0, 0, 0, 0)
    chunks, index, place = b"", b"", 4
    for frame in frames:
        chunk = _chunk(b"00dc", frame)
        index += b"00dc" + struct.pack("<3I", 0x10, place, len(frame))
        chunks, place = chunks + chunk, place + len(chunk)
    streams = _list(b"strl", _chunk(b"strh", stream) + _chunk(b"strf", bitmap))
    content = _list(b"hdrl", _chunk(b"avih", header) + streams) + _list(b"movi", chunks) + _chunk(b"idx1", index)
    return _chunk(b"RIFF", b"AVI " + content)


def series(
    number: int, time_column: str, columns: Sequence[str], time_format: str | None = None
) -> dict[str, list]:  # type: ignore[type-arg]
    """A time series by column: a sine in each, sampled once a second, or once a day where dates are wanted."""
    start = datetime.datetime(2024, 1, 1, tzinfo=datetime.timezone.utc)
    times: list[object] = list(range(ROWS))
    if time_format:
        form = time_format if "%" in time_format else "%Y-%m-%d"
        times = [(start + datetime.timedelta(days=step)).strftime(form) for step in range(ROWS)]
    waves = {
        column: [round(math.sin((step + 7 * number) / (5 + place)), 4) for step in range(ROWS)]
        for place, column in enumerate(columns)
    }
    return {time_column: times, **waves}


def csv(table: dict[str, list], separator: str = ",") -> bytes:  # type: ignore[type-arg]
    """A table by column as a CSV file."""
    rows = [list(table), *zip(*table.values(), strict=True)]
    return "".join(separator.join(map(str, row)) + "\n" for row in rows).encode()


def as_json(value: object) -> bytes:
    """Anything as a JSON file."""
    return json.dumps(value).encode()


def _encoded(number: int, step: int, form: str) -> bytes:
    from PIL import Image, ImageDraw

    picture = Image.new("RGB", (WIDTH, HEIGHT), (235, 235, 230))
    draw = ImageDraw.Draw(picture)
    left, top = 20 + 17 * number % 100, 30 + 11 * number % 60
    draw.rectangle((left, top, left + 90, top + 70), fill=_COLOURS[number % 4])
    middle = 200 - 23 * number % 40 + 2 * step, 150
    draw.ellipse((middle[0] - 35, middle[1] - 35, middle[0] + 35, middle[1] + 35), fill=_COLOURS[(number + 1) % 4])
    buffer = io.BytesIO()
    picture.save(buffer, form)
    return buffer.getvalue()


def _chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def _list(name: bytes, content: bytes) -> bytes:
    return _chunk(b"LIST", name + content)
