"""Recordings with utterances and noise: `python sample_data.py [FOLDER]` writes FOLDER/tasks.json and those.

People reading, giving orders and counting, from PocketSphinx's source package, which pip downloads (34 MB), each
also with a deeper and a higher voice. An utterance with its pauses is one span, as annotators mark it. The last 24
recordings have other utterances than the first 36.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from label_studio_ml import regions

RATE = 16_000
SOURCE = "pocketsphinx==5.1.1"
READ = ("librivox/", "cards/", "forever/")
COMMANDS = ("goforward", "numbers", "something")
FIRST, LAST = 36, 24
PITCHES = (0.9, 1.0, 1.12)
"""A voice that is played slower is deeper, one that is played faster is higher."""


def recorded() -> dict[str, bytes]:
    """Files by name: the test data in PocketSphinx's source package. pip brings it, and builds none of it."""
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([*pip, "--no-binary", "pocketsphinx", "--dest", folder, SOURCE], check=True)
        (archive,) = Path(folder).glob("pocketsphinx-*.tar.gz")
        with tarfile.open(archive) as packed:
            found = {one.name.partition("/test/data/")[2]: packed.extractfile(one) for one in packed}
            return {name: file.read() for name, file in found.items() if name and file}


def utterances() -> list[list[NDArray[np.float32]]]:
    """What people say, trimmed to it; each utterance in every pitch."""
    files = recorded()
    waves = sorted(name for name in files if name.startswith(READ) and name.endswith(".wav"))
    sounds = [soundfile.read(BytesIO(files[name]), dtype="float32")[0] for name in waves]
    sounds += [np.frombuffer(files[f"{name}.raw"], "<i2") / np.float32(2**15) for name in COMMANDS]
    return [
        [trimmed(soxr.resample(sound / np.abs(sound).max(), RATE * pitch, RATE)) for pitch in PITCHES]
        for sound in sounds
    ]


def trimmed(sound: NDArray[np.float32]) -> NDArray[np.float32]:
    """Without the silence before and after: frames of 10 ms with a fiftieth of the loudest."""
    frame = RATE // 100
    level = np.abs(sound[: len(sound) // frame * frame]).reshape(-1, frame).max(axis=1)
    loud = np.flatnonzero(level > 0.02)
    return sound[loud[0] * frame : (loud[-1] + 1) * frame]


def noise(length: int, level: float, chance: np.random.Generator) -> NDArray[np.float32]:
    """A low rumble with some hiss and a few knocks."""
    white = chance.standard_normal(length)
    rumble = np.convolve(white, np.ones(64) / 8, "same") + 0.3 * white
    for place in chance.integers(0, length - 800, 3):
        rumble[place : place + 800] += 12 * np.exp(-np.arange(800) / 120) * chance.standard_normal(800)
    return (level * rumble).astype(np.float32)


def recording(
    said: list[NDArray[np.float32]], chance: random.Random, seed: int
) -> tuple[NDArray[np.float32], list[tuple[float, float]]]:
    """One to three utterances in noise, and where they are."""
    parts = chance.sample(said, chance.randint(1, 3))
    gaps = [chance.uniform(1.2, 2.0) for _ in range(len(parts) + 1)]
    length = sum(map(len, parts)) + int(sum(gaps) * RATE) + RATE // 10
    sound = noise(length, chance.uniform(0.002, 0.02), np.random.default_rng(seed))
    spans, place = [], gaps[0]
    for part, gap in zip(parts, gaps[1:], strict=True):
        start = int(place * RATE)
        sound[start : start + len(part)] += chance.uniform(0.3, 0.8) * part
        spans.append((start / RATE, (start + len(part)) / RATE))
        place = spans[-1][1] + gap
    return np.clip(sound, -1, 1), spans


def made(folder: Path) -> Iterator[dict[str, Any]]:
    """Tasks, one after the other."""
    said, chance = utterances(), random.Random(0)
    for number in range(FIRST + LAST):
        others = said[::2] if number < FIRST else said[1::2]
        sound, spans = recording([one for pitches in others for one in pitches], chance, number)
        name = f"recording {number:02}.wav"
        soundfile.write(folder / name, sound, RATE)
        answer = [regions.audio_span("what", "sound", "Speech", start=start, end=end) for start, end in spans]
        yield {"data": {"audio": name}, "answer": answer}


def tasks(folder: Path) -> list[dict[str, Any]]:
    """Data of tasks, and the right spans for each."""
    return list(made(folder))


def score(result: list[dict[str, Any]], answer: list[dict[str, Any]]) -> float:
    """F1 of spans. One is found when it and the right one share three quarters of what they take together."""
    found, right = spans(result), spans(answer)
    hits = sum(
        any(min(a[1], b[1]) - max(a[0], b[0]) >= 0.75 * (max(a[1], b[1]) - min(a[0], b[0])) for b in right)
        for a in found
    )
    return 2 * hits / (len(found) + len(right)) if found or right else 1.0


def spans(result: list[dict[str, Any]]) -> list[tuple[float, float]]:
    """Start and end of each region."""
    return [(float(one.start), float(one.end)) for one in map(regions.read_audio_span, result)]


if __name__ == "__main__":
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "sample_data")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tasks.json").write_text(json.dumps(tasks(folder), indent=1))
    print(f"Sample tasks are in {folder / 'tasks.json'}.")
