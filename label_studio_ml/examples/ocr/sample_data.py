"""Pictures with text: `python sample_data.py [FOLDER]` writes FOLDER/tasks.json and the pictures.

A photographed page that ships in scikit-image, and letters, receipts and signs that are drawn here, so that each
line and its place are known.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from skimage import data

from label_studio_ml import regions

SIZE = (640, 400)
PICTURES = [
    ["Green Valley Market", "Apples 1 kg  2.49", "Olive oil  7.90", "Bread  3.20", "Total  13.59"],
    ["Dear Mrs. Brown,", "thank you for your letter.", "We will visit you on Monday.", "Kind regards"],
    ["CITY MUSEUM", "Open daily 10 - 18", "Tickets at the counter", "No flash, please"],
    ["Platform 7", "Train to Harbor Town", "Departs 14:25", "Delayed by 10 minutes"],
    ["Invoice 20417", "Date 2024-03-18", "Two office chairs  358.00", "Delivery  19.90", "Amount due  377.90"],
    ["Warning", "High voltage behind this door", "Call 555 0142 for access"],
    ["Chocolate cake", "200 g butter", "4 eggs", "150 g sugar", "Bake for 35 minutes"],
    ["The quick brown fox", "jumps over the lazy dog", "near the river bank"],
]  # fmt: skip
ON_THE_PAGE = ["Region-based segmentation", "Let us first determine markers of the coins and the"]
"""The first lines of the photographed page."""


def drawn(lines: list[str], chance: random.Random) -> tuple[Image.Image, list[dict[str, Any]]]:
    """A picture, and its lines."""
    picture = Image.new("RGB", SIZE, tuple(chance.randint(225, 255) for _ in range(3)))
    pen, y, answer = ImageDraw.Draw(picture), 25, []
    for line in lines:
        font = ImageFont.load_default(chance.randint(24, 36))
        x = chance.randint(20, 120)
        pen.text((x, y), line, tuple(chance.randint(0, 90) for _ in range(3)), font)
        box = pen.textbbox((x, y), line, font)
        answer += regions.ocr("line", "page", "Text", text=line, text_name="reads", xyxy=box, size=SIZE)
        y = int(box[3]) + chance.randint(16, 30)
    noise = np.random.default_rng(chance.randint(0, 99)).normal(0, 6, (SIZE[1], SIZE[0], 1))
    return Image.fromarray(np.clip(np.asarray(picture) + noise, 0, 255).astype(np.uint8)), answer


def made(folder: Path) -> Iterator[dict[str, Any]]:
    """Tasks, one after the other."""
    chance = random.Random(0)
    for number, lines in enumerate(PICTURES):
        picture, answer = drawn(lines, chance)
        picture.save(folder / f"drawn {number}.png")
        yield {"data": {"image": f"drawn {number}.png"}, "answer": answer}
    Image.fromarray(data.page()).convert("RGB").save(folder / "page.png")
    yield {"data": {"image": "page.png"}}


def tasks(folder: Path) -> list[dict[str, Any]]:
    """Data of tasks, and the right lines for those that were drawn here."""
    return list(made(folder))


def score(result: list[dict[str, Any]], answer: list[dict[str, Any]]) -> float:
    """The share of characters that are right, in lines whose boxes share half of what they cover together."""
    found, right = (regions.read_ocr(some, "reads") for some in (result, answer))
    wrong, length = 0, sum(len(plain(word.text)) for word in right)
    for word in right:
        near = max(found, key=lambda one: overlap(one.xyxy, word.xyxy), default=None)
        there = near is not None and overlap(near.xyxy, word.xyxy) >= 0.5
        wrong += distance(plain(near.text), plain(word.text)) if near and there else len(plain(word.text))
    return max(0.0, 1 - wrong / length) if length else 1.0


def plain(text: str | None) -> str:
    """Without spaces, whose number in a picture nobody can tell."""
    return "".join((text or "").split())


def distance(one: str, other: str) -> int:
    """The fewest characters to change, add or leave out."""
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        diagonal, row[0] = row[0], i
        for j, b in enumerate(other, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (a != b))
    return row[-1]


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
