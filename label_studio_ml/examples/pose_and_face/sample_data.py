"""A portrait in several ways: `python sample_data.py [FOLDER]` writes FOLDER/tasks.json and the pictures.

NASA's photograph of Eileen Collins ships in scikit-image: as it is, mirrored, darker, larger, a piece of it, and
twice side by side. Where eyes, nose and mouth are was read off it by hand.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image, ImageEnhance, ImageOps
from skimage import data

from label_studio_ml import regions

POINTS = {"Right eye": (204, 101), "Left eye": (247, 103), "Nose": (225, 126), "Mouth": (225, 145)}
MIRRORED = {"Right eye": "Left eye", "Left eye": "Right eye"}
NEAR = 0.16
"""A point is right within this part of the distance between eyes and mouth (44 pixels in the photograph)."""

Points = list[tuple[str, float, float]]


def mirrored(points: Points, width: float) -> Points:
    return [(MIRRORED.get(label, label), width - 1 - x, y) for label, x, y in points]


def pictures() -> Iterator[tuple[str, Image.Image, Points]]:
    """Pictures, and where the points are in them."""
    photo = Image.fromarray(data.astronaut())
    points: Points = [(label, x, y) for label, (x, y) in POINTS.items()]
    yield "portrait", photo, points
    yield "mirrored", ImageOps.mirror(photo), mirrored(points, 512)
    yield "dark", ImageEnhance.Brightness(photo).enhance(0.5), points
    yield "large", photo.resize((1024, 1024)), [(label, 2 * x, 2 * y) for label, x, y in points]
    yield "piece", photo.crop((60, 10, 420, 400)), [(label, x - 60, y - 10) for label, x, y in points]
    pair = Image.new("RGB", (1024, 512))
    pair.paste(photo, (0, 0))
    pair.paste(ImageOps.mirror(photo), (512, 0))
    second = [(label, x + 512, y) for label, x, y in mirrored(points, 512)]
    yield "pair", pair, [*points, *second]


def made(folder: Path) -> Iterator[dict[str, Any]]:
    """Tasks, one after the other."""
    for name, picture, points in pictures():
        picture.save(folder / f"{name}.jpg", quality=95)
        answer = [
            regions.keypoint("point", "photo", label, xy=(x, y), size=picture.size, width=0.8)
            for label, x, y in points
        ]
        yield {"data": {"image": f"{name}.jpg"}, "answer": answer}


def tasks(folder: Path) -> list[dict[str, Any]]:
    """Data of tasks, and the right points for each."""
    return list(made(folder))


def score(result: list[dict[str, Any]], answer: list[dict[str, Any]]) -> float:
    """The share of points that are where they should be."""
    found, right = points_in(result), points_in(answer)
    eyes = [y for label, _, y in right if label == "Right eye"]
    mouths = [y for label, _, y in right if label == "Mouth"]
    near = NEAR * (mouths[0] - eyes[0])
    hits = sum(
        any(label == name and math.dist((x, y), place) <= near for name, *place in found) for label, x, y in right
    )
    return hits / len(right)


def points_in(result: list[dict[str, Any]]) -> Points:
    read = [regions.read_keypoint(region) for region in result if region["type"] == "keypointlabels"]
    return [(str(one.label), *one.xy) for one in read]


if __name__ == "__main__":
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "sample_data")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tasks.json").write_text(json.dumps(tasks(folder), indent=1))
    print(f"Sample tasks are in {folder / 'tasks.json'}.")
