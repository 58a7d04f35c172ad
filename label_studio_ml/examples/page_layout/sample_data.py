"""Pages: `python sample_data.py [FOLDER]` writes FOLDER/tasks.json and the pages.

They are set here, from sentences of their own and photographs that ship in scikit-image, so that every part and its
place are known.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont
from skimage import data

from label_studio_ml import regions

SIZE = (900, 1200)
MARGIN, COUNT = 80, 8
TITLES = ["How to Keep Bees in a City", "The Bridges of the North", "A Short History of Bread", "Winter Gardens"]
SENTENCES = [
    "The first hives were put on the roof of the theatre in the spring of that year.",
    "Nobody had expected that the water would rise so fast after such a dry summer.",
    "Most of the stones were brought from the quarry on the other side of the valley.",
    "It takes patience, a warm kitchen and flour that has not been stored for too long.",
    "Visitors come from May to October, and many of them return the year after.",
    "The council decided to keep the old gate, though it was narrow and out of use.",
    "In the table one can see how the numbers have changed within ten years.",
    "Several families have lived in these houses for more than four generations.",
]
PHOTOS = [data.coffee, data.astronaut, data.rocket, data.chelsea]
Box = tuple[float, float, float, float]


class Page:
    """A page that is filled from top to bottom."""

    def __init__(self, chance: random.Random) -> None:
        self.picture = Image.new("RGB", SIZE, "white")
        self.pen, self.chance, self.y = ImageDraw.Draw(self.picture), chance, float(MARGIN)
        self.answer: list[dict[str, Any]] = []

    def note(self, label: str, box: Box) -> None:
        """A part is there; the next one comes below it."""
        self.answer.append(regions.rectangle("part", "page", label, xyxy=box, size=SIZE))
        self.y = box[3] + 35

    def title(self) -> None:
        font = ImageFont.load_default(44)
        text = self.chance.choice(TITLES)
        self.pen.text((MARGIN, self.y), text, "black", font)
        self.note("Title", self.pen.textbbox((MARGIN, self.y), text, font))

    def text(self) -> None:
        font, top = ImageFont.load_default(19), self.y
        words = " ".join(self.chance.sample(SENTENCES, 5)).split()
        line: list[str] = []
        right, bottom = 0.0, top
        for word in [*words, ""]:
            longer = " ".join([*line, word])
            if word and self.pen.textlength(longer, font) <= SIZE[0] - 2 * MARGIN:
                line.append(word)
                continue
            place = (MARGIN, self.y)
            self.pen.text(place, " ".join(line), "black", font)
            _, _, edge, bottom = self.pen.textbbox(place, " ".join(line), font)
            right, self.y, line = max(right, edge), self.y + 28, [word]
        self.note("Text", (MARGIN, top, right, bottom))

    def figure(self) -> None:
        photo = Image.fromarray(self.chance.choice(PHOTOS)()).resize((500, 300))
        left = (SIZE[0] - 500) // 2
        self.picture.paste(photo, (left, int(self.y)))
        self.note("Figure", (left, int(self.y), left + 500, int(self.y) + 300))

    def table(self) -> None:
        font, rows, columns, wide, high = ImageFont.load_default(19), 6, 4, 170, 40
        left, top = (SIZE[0] - columns * wide) // 2, self.y
        for row in range(rows):
            for column in range(columns):
                x, y = left + column * wide, top + row * high
                self.pen.rectangle((x, y, x + wide, y + high), outline="black", width=2)
                text = ["Year", "North", "South", "All"][column] if row == 0 else str(self.chance.randint(10, 9999))
                self.pen.text((x + 12, y + 9), text, "black", font)
        self.note("Table", (left, top, left + columns * wide, top + rows * high))


def made(folder: Path) -> Iterator[dict[str, Any]]:
    """Tasks, one after the other."""
    chance = random.Random(0)
    for number in range(COUNT):
        page = Page(chance)
        page.title()
        page.text()
        for part in chance.sample([page.figure, page.table, page.text], 2):
            part()
        page.text()
        page.picture.save(folder / f"page {number}.png")
        yield {"data": {"image": f"page {number}.png"}, "answer": page.answer}


def tasks(folder: Path) -> list[dict[str, Any]]:
    """Data of tasks, and the right parts of each."""
    return list(made(folder))


def score(result: list[dict[str, Any]], answer: list[dict[str, Any]]) -> float:
    """F1 of parts. One is found when its label is right, and its box shares half of what both boxes cover."""
    found, right = (
        [(one.label, one.xyxy) for one in map(regions.read_rectangle, some)] for some in (result, answer)
    )
    hits = sum(any(a == b and overlap(one, other) >= 0.5 for b, other in right) for a, one in found)
    return 2 * hits / (len(found) + len(right)) if found or right else 1.0


def overlap(one: Box, other: Box) -> float:
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
