"""Old coins: `python sample_data.py [FOLDER]` writes FOLDER/tasks.json and the pictures.

Pieces of a photograph that ships in scikit-image, mirrored and lighter or darker at random (with a fixed seed). The
last 24 are from the lower half of the photograph, the first 40 from the upper one. The right masks were made with a
threshold that was chosen for this photograph, and an opening.
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
from scipy.ndimage import binary_fill_holes
from skimage import data, filters, measure, morphology
from skimage.segmentation import watershed

from label_studio_ml import regions

FIRST, LAST = 40, 24
SIDE = 140


def coins() -> tuple[Any, Any]:
    """The photograph, and a number for each coin in it (0 where there is none)."""
    photo = data.coins()
    edges = filters.sobel(photo)
    seeds = np.zeros_like(photo, dtype=int)
    seeds[photo < 30], seeds[photo > 150] = 1, 2
    found = binary_fill_holes(watershed(edges, seeds) == 2)
    return photo, measure.label(morphology.opening(found, morphology.disk(3)))


def made(folder: Path) -> Iterator[dict[str, Any]]:
    """Tasks, one after the other."""
    (photo, numbered), chance = coins(), random.Random(0)
    middle = photo.shape[0] // 2
    for number in range(FIRST + LAST):
        top = chance.randint(0, middle - SIDE) + (0 if number < FIRST else middle)
        left = chance.randint(0, photo.shape[1] - SIDE)
        cut = slice(top, top + SIDE), slice(left, left + SIDE, 1)
        piece, mask = photo[cut], numbered[cut] > 0
        if chance.random() < 0.5:
            piece, mask = piece[:, ::-1], mask[:, ::-1]
        light = np.clip(piece * chance.uniform(0.8, 1.2), 0, 255).astype(np.uint8)
        name = f"coins {number:02}.png"
        Image.fromarray(light).resize((2 * SIDE, 2 * SIDE), Image.Resampling.BICUBIC).save(folder / name)
        large = np.kron(mask, np.ones((2, 2), bool))
        yield {"data": {"image": name}, "answer": [regions.brush("mask", "photo", "Coin", mask=large)]}


def tasks(folder: Path) -> list[dict[str, Any]]:
    """Data of tasks, and the right mask for each."""
    return list(made(folder))


def score(result: list[dict[str, Any]], answer: list[dict[str, Any]]) -> float:
    """Intersection over union of what is marked."""
    if not result:
        return 0.0
    found, right = (np.any([regions.read_brush(one).mask for one in some], axis=0) for some in (result, answer))
    return float((found & right).sum() / (found | right).sum())


if __name__ == "__main__":
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "sample_data")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tasks.json").write_text(json.dumps(tasks(folder), indent=1))
    print(f"Sample tasks are in {folder / 'tasks.json'}.")
