"""Clips: `python sample_data.py [FOLDER]` writes FOLDER/tasks.json and the clips.

A photographed face that moves over photographs, along ways that are known; three scenes with cuts in between. The
photographs ship in scikit-image. All clips have 25 frames a second.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from skimage import data

from label_studio_ml import regions

SIZE, RATE, FRAMES = (480, 320), 25, 75
FACE = (slice(60, 180), slice(170, 280))
"""Where the astronaut's face is."""


def way(number: int, frame: int, side: tuple[int, int]) -> tuple[int, int]:
    """Left and top of the face: on waves of different height."""
    along = frame / (FRAMES - 1)
    x = (SIZE[0] - side[0]) * (along if number % 2 else 1 - along)
    y = (SIZE[1] - side[1]) * (0.5 + 0.4 * math.sin(along * 3 + number))
    return round(x), round(y)


def moving(folder: Path) -> Iterator[dict[str, Any]]:
    """Clips with a face, its first box, and where it is in every frame."""
    face = cv2.resize(cv2.cvtColor(data.astronaut()[FACE], cv2.COLOR_RGB2BGR), (74, 80))
    for number, behind in enumerate([data.coffee, data.rocket, data.brick, data.moon]):
        photo = behind() if behind().ndim == 3 else np.dstack([behind()] * 3)
        back = cv2.resize(cv2.cvtColor(photo, cv2.COLOR_RGB2BGR), SIZE)
        boxes: dict[int, tuple[int, int, int, int]] = {}
        frames: list[Any] = []
        for frame in range(FRAMES):
            x, y = way(number, frame, (74, 80))
            picture = back.copy()
            picture[y : y + 80, x : x + 74] = face
            boxes[frame] = (x, y, x + 74, y + 80)
            frames.append(picture)
        name = f"face {number}.webm"
        write(folder / name, frames)
        drawn, right = (
            regions.video_rectangle("box", "clip", "Face", xyxy=some, size=SIZE, fps=RATE, frames=FRAMES)
            for some in ({0: boxes[0]}, boxes)
        )
        yield {"data": {"video": name}, "answer": [right], "context": {"result": [drawn]}}


def cut(folder: Path) -> dict[str, Any]:
    """A clip of three scenes in which the camera moves, and its shots."""
    frames: list[Any] = []
    answer: list[dict[str, Any]] = []
    for number, (scene, length) in enumerate([(data.coffee, 30), (data.astronaut, 45), (data.rocket, 25)]):
        photo = cv2.cvtColor(scene(), cv2.COLOR_RGB2BGR)
        begun = len(frames)
        windows = (photo[frame : frame + 300, 2 * frame : 2 * frame + 400] for frame in range(length))
        frames.extend(cv2.resize(window, SIZE) for window in windows)
        label = ["Shot", "Next shot"][number % 2]
        answer.append(regions.timeline("shots", "clip", label, start=begun, end=len(frames)))
    write(folder / "scenes.webm", frames)
    return {"data": {"video": "scenes.webm"}, "answer": answer}


def write(path: Path, frames: list[Any]) -> None:
    """A clip that browsers can play."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"VP80"), RATE, SIZE)
    for frame in frames:
        writer.write(frame)
    writer.release()


def tasks(folder: Path) -> list[dict[str, Any]]:
    """Data of tasks, what is right for each, and for those with a face the box that is drawn first."""
    return [*moving(folder), cut(folder)]


def score(result: list[dict[str, Any]], answer: list[dict[str, Any]]) -> float:
    """Mean intersection over union of the boxes in all frames, or the share of cuts that are right to 2 frames."""
    if answer[0]["type"] == "timelinelabels":
        found, right = ([regions.read_timeline(one).start for one in some] for some in (result, answer))
        return sum(any(abs(a - b) <= 2 for a in found) for b in right) / max(len(right), len(found))
    if not result:
        return 0.0
    ours, theirs = (
        regions.read_video_rectangle(some[0], size=SIZE, interpolate=True).xyxy for some in (result, answer)
    )
    return sum(overlap(ours[frame], box) if frame in ours else 0.0 for frame, box in theirs.items()) / len(theirs)


def overlap(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    """Intersection over union."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    common = max(0.0, width) * max(0.0, height)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return common / (sum(areas) - common)


if __name__ == "__main__":
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "sample_data")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tasks.json").write_text(json.dumps(tasks(folder), indent=1))
    print(f"Sample tasks are in {folder / 'tasks.json'}.")
