"""Faces in other pictures: `python sample_data.py [FOLDER]` writes FOLDER/tasks.json and the pictures.

All that is in them ships in scikit-image: small grey photographs of 100 faces, and larger ones that faces are laid
over. The last 30 pictures have other faces and other backgrounds than the first 45.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageFilter
from skimage import data

from label_studio_ml import regions

FIRST, LAST = 45, 30
SIZE = (360, 270)
BACKGROUNDS = [data.coffee, data.brick, data.coins, data.grass, data.page, data.rocket, data.gravel, data.moon]


def made(folder: Path) -> Iterator[dict[str, Any]]:
    """Tasks, one after the other."""
    faces = [Image.fromarray((face * 255).astype(np.uint8)) for face in data.lfw_subset()[:100]]
    backs = [Image.fromarray(photo()).convert("L") for photo in BACKGROUNDS]
    chance = random.Random(0)
    for number in range(FIRST + LAST):
        early = number < FIRST
        theirs, behind = (faces[:60], backs[:5]) if early else (faces[60:], backs[5:])
        scene = chance.choice(behind).resize((600, 450))
        left, top = chance.randint(0, 600 - SIZE[0]), chance.randint(0, 450 - SIZE[1])
        picture = scene.crop((left, top, left + SIZE[0], top + SIZE[1]))
        answer = []
        for column in chance.sample(range(3), chance.choice([0, 1, 1, 2, 2, 3])):
            side = chance.randint(60, 100)
            x, y = column * 120 + chance.randint(0, 120 - side), chance.randint(0, SIZE[1] - side)
            face = chance.choice(theirs).resize((side, side), Image.Resampling.BICUBIC)
            edge = Image.new("L", (side, side), 0)
            edge.paste(255, (4, 4, side - 4, side - 4))
            picture.paste(face, (x, y), edge.filter(ImageFilter.GaussianBlur(2)))
            box = (x, y, x + side, y + side)
            answer.append(regions.rectangle("box", "picture", "Face", xyxy=box, size=SIZE))
        name = f"picture {number:02}.jpg"
        picture.save(folder / name, quality=90)
        yield {"data": {"image": name}, "answer": answer}


def tasks(folder: Path) -> list[dict[str, Any]]:
    """Data of tasks, and the right boxes for each."""
    return list(made(folder))


def score(result: list[dict[str, Any]], answer: list[dict[str, Any]]) -> float:
    """F1 of boxes. One is found when it and the right one share half of what they cover together."""
    found, right = ([regions.read_rectangle(region).xyxy for region in some] for some in (result, answer))
    hits = sum(any(overlap(one, other) >= 0.5 for other in right) for one in found)
    return 2 * hits / (len(found) + len(right)) if found or right else 1.0


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
