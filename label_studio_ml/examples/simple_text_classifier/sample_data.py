"""Reviews and what is right for each: `python sample_data.py [FOLDER]` writes FOLDER/tasks.json."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from label_studio_ml import regions

REVIEWS = Path(__file__).with_name("sample_reviews.json")


def tasks(folder: Path) -> list[dict[str, Any]]:
    """Data of tasks, and the right answer for each."""
    reviews = json.loads(REVIEWS.read_text())
    return [
        {"data": review["data"], "answer": [regions.choices("sentiment", "text", review["meta"]["sentiment"])]}
        for review in reviews
    ]


def score(result: list[dict[str, Any]], answer: list[dict[str, Any]]) -> float:
    """1 for the right choice."""
    return float([region["value"] for region in result] == [region["value"] for region in answer])


if __name__ == "__main__":
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "sample_data")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tasks.json").write_text(json.dumps(tasks(folder), indent=1))
    print(f"Sample tasks are in {folder / 'tasks.json'}.")
