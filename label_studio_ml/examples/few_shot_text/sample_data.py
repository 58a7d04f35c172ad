"""Messages to a shop: `python sample_data.py [FOLDER]` writes FOLDER/tasks.json. All were written here."""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path
from typing import Any

from label_studio_ml import regions

MESSAGES = Path(__file__).with_name("sample_messages.json")


def tasks(folder: Path) -> list[dict[str, Any]]:
    """Data of tasks, and the right topic for each, in a fixed random order."""
    topics = json.loads(MESSAGES.read_text())
    messages = [(text, topic) for topic, texts in topics.items() for text in texts]
    random.Random(0).shuffle(messages)
    return [
        {"data": {"text": text}, "answer": [regions.choices("topic", "message", topic)]} for text, topic in messages
    ]


def score(result: list[dict[str, Any]], answer: list[dict[str, Any]]) -> float:
    """1 for the right choice."""
    return float([region["value"] for region in result] == [region["value"] for region in answer])


if __name__ == "__main__":
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "sample_data")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tasks.json").write_text(json.dumps(tasks(folder), indent=1))
    print(f"Sample tasks are in {folder / 'tasks.json'}.")
