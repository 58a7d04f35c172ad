"""Measured penguins: `python sample_data.py [FOLDER]` writes FOLDER/tasks.json.

The data ship in the package palmerpenguins: 344 penguins near Palmer Station, Antarctica (K. Gorman et al., 2014).
"""

from __future__ import annotations

import csv
import json
import random
import sys
from importlib.metadata import files
from pathlib import Path
from typing import Any

from label_studio_ml import regions

COUNT = 120
ANSWER = "species"


def tasks(folder: Path) -> list[dict[str, Any]]:
    """Data of tasks, and the right species for each, in a fixed random order."""
    (source,) = (file for file in files("palmerpenguins") or [] if file.name == "penguins.csv")
    penguins = list(csv.DictReader(source.read_text().splitlines()))
    random.Random(0).shuffle(penguins)
    made = []
    for penguin in penguins[:COUNT]:
        measured = {name: value for name, value in penguin.items() if name and name != ANSWER and value != "NA"}
        region = regions.choices("species", "penguin", penguin[ANSWER])
        made.append({"data": {"measured": measured}, "answer": [region]})
    return made


def score(result: list[dict[str, Any]], answer: list[dict[str, Any]]) -> float:
    """1 for the right choice."""
    return float([region["value"] for region in result] == [region["value"] for region in answer])


if __name__ == "__main__":
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "sample_data")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tasks.json").write_text(json.dumps(tasks(folder), indent=1))
    print(f"Sample tasks are in {folder / 'tasks.json'}.")
