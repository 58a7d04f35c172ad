"""Reviews: `python sample_data.py [FOLDER]` writes FOLDER/tasks.json. They were written for this example."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from label_studio_ml import regions

REVIEWS = {
    "Positive": [
        "I love this lamp. It looks great and was easy to put up.",
        "Wonderful food and friendly people. We will come back!",
        "The best headphones I have ever had.",
        "What a beautiful film, I laughed and cried.",
        "Fast delivery, great price, and it works perfectly.",
        "Our stay was perfect: a clean room and a lovely view.",
        "Excellent service. They helped me within minutes.",
        "My kids are happy with it, and so am I.",
    ],
    "Negative": [
        "It broke after two days. A waste of money.",
        "Terrible service, cold food, and we waited for an hour.",
        "I am very disappointed: the colour is wrong and it smells bad.",
        "The worst hotel I have ever been to. Dirty and loud.",
        "It does not work at all. I want my money back.",
        "A boring film with awful actors.",
        "The app crashes all the time. I hate it.",
        "Rude staff and a dirty table. Never again.",
    ],
}


def tasks(folder: Path) -> list[dict[str, Any]]:
    """Data of tasks, and the right mood for each; about summaries one can argue."""
    made = [(text, mood) for mood, texts in REVIEWS.items() for text in texts]
    return [{"data": {"text": text}, "answer": [regions.choices("mood", "review", mood)]} for text, mood in made]


def score(result: list[dict[str, Any]], answer: list[dict[str, Any]]) -> float:
    """1 for the right mood."""
    moods = [region["value"] for region in result if region["from_name"] == "mood"]
    return float(moods == [region["value"] for region in answer])


if __name__ == "__main__":
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "sample_data")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tasks.json").write_text(json.dumps(tasks(folder), indent=1))
    print(f"Sample tasks are in {folder / 'tasks.json'}.")
