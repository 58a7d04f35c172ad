"""Photographs of the ground: `python sample_data.py [FOLDER]` writes FOLDER/tasks.json and the pictures.

Pieces of three photographs that ship in scikit-image, turned, mirrored, lighter or darker at random (with a fixed
seed). The last 30 are from other halves of the photographs than the first 60.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from skimage import data

from label_studio_ml import regions

PHOTOS = {"Brick": data.brick, "Grass": data.grass, "Gravel": data.gravel}
FIRST, LAST = 60, 30


def made(folder: Path) -> Iterator[dict[str, Any]]:
    """Tasks, one after the other."""
    photos, chance = {label: photo() for label, photo in PHOTOS.items()}, random.Random(0)
    for number in range(FIRST + LAST):
        label = list(PHOTOS)[number % len(PHOTOS)]
        height, width = photos[label].shape
        side = chance.randint(100, 200)
        left = 0 if number < FIRST else width // 2
        x, y = left + chance.randint(0, width // 2 - side), chance.randint(0, height - side)
        piece = np.rot90(photos[label][y : y + side, x : x + side], chance.randrange(4))
        light = np.clip(piece * chance.uniform(0.6, 1.4) + chance.uniform(-20, 20), 0, 255).astype(np.uint8)
        name = f"ground {number:02}.jpg"
        Image.fromarray(light if chance.random() < 0.5 else light[:, ::-1]).convert("RGB").save(folder / name)
        yield {"data": {"image": name}, "answer": [regions.choices("ground", "photo", label)]}


def tasks(folder: Path) -> list[dict[str, Any]]:
    """Data of tasks, and the right choice for each."""
    return list(made(folder))


def score(result: list[dict[str, Any]], answer: list[dict[str, Any]]) -> float:
    """1 for the right choice."""
    return float([region["value"] for region in result] == [region["value"] for region in answer])


if __name__ == "__main__":
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "sample_data")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tasks.json").write_text(json.dumps(tasks(folder), indent=1))
    print(f"Sample tasks are in {folder / 'tasks.json'}.")
