"""Recordings with utterances and noise: `python sample_data.py [FOLDER]` writes FOLDER/tasks.json and those.

Needs Debian's packages pocketsphinx-testdata (people reading, at 16 kHz) and espeak-ng (a synthesizer). An
utterance with its pauses is one span, as annotators mark it. The last 24 recordings have other utterances than the
first 36.
"""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
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
RECORDED = Path("/usr/share/pocketsphinx/test/data")
FIRST, LAST = 36, 24
VOICES = ["en-us", "en-gb", "en-us+f3", "en-gb+m7", "en-us+f5"]
SENTENCES = [
    "The meeting is moved, to Thursday, at ten.",
    "Well, I am not so sure about that.",
    "Please hold the line. Somebody will be with you soon.",
    "Could you repeat that? The line is bad.",
    "Turn left, then right, and stop at the gate.",
    "We have, let me see, eleven of them in stock.",
    "No. That is not what I ordered.",
    "Thank you for calling. Have a nice day.",
    "It rained all night, so the road is closed.",
    "First the soup, then the fish, and no dessert.",
]


def utterances() -> list[NDArray[np.float32]]:
    """People and a synthesizer, each trimmed to what is said."""
    recorded = sorted([*RECORDED.glob("librivox/*.wav"), *RECORDED.glob("cards/*.wav")])
    if not recorded or not shutil.which("espeak-ng"):
        sys.exit("The samples are made of Debian's pocketsphinx-testdata and espeak-ng: install these two first.")
    made = [soundfile.read(path, dtype="float32")[0] for path in recorded]
    for number, sentence in enumerate(SENTENCES):
        command = ["espeak-ng", "-v", VOICES[number % len(VOICES)], "--stdout", sentence]
        wave = subprocess.run(command, check=True, capture_output=True).stdout
        sound, rate = soundfile.read(BytesIO(wave), dtype="float32")
        made.append(soxr.resample(sound, rate, RATE))
    return [trimmed(sound / np.abs(sound).max()) for sound in made]


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
        sound, spans = recording(said[::2] if number < FIRST else said[1::2], chance, number)
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
