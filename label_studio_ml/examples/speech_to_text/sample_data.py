"""People reading: `python sample_data.py [FOLDER]` writes FOLDER/tasks.json and the recordings.

The recordings and what is said in them are those of Debian's package pocketsphinx-testdata: sentences of a novel,
read for LibriVox, and playing cards.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path
from typing import Any

from label_studio_ml import regions

RECORDED = Path("/usr/share/pocketsphinx/test/data")
LINE = re.compile(r"<s> (.*?)\s*</s> \((\S+)\)")


def tasks(folder: Path) -> list[dict[str, Any]]:
    """Data of tasks, and what is said in each."""
    made = []
    for listed in ("librivox/transcription", "cards/cards.transcription"):
        if not (RECORDED / listed).exists():
            sys.exit("The samples are those of Debian's pocketsphinx-testdata: install this package first.")
        for text, name in LINE.findall((RECORDED / listed).read_text()):
            shutil.copyfile((RECORDED / listed).parent / f"{name}.wav", folder / f"{name}.wav")
            made.append({"data": {"audio": f"{name}.wav"}, "answer": [regions.text_area("said", "sound", text)]})
    return made


def score(result: list[dict[str, Any]], answer: list[dict[str, Any]]) -> float:
    """1 less the word error rate, but not below 0."""
    found, right = (
        " ".join(text for one in some for text in regions.read_text_area(one)) for some in (result, answer)
    )
    return max(0.0, 1 - distance(found.split(), right.split()) / len(right.split()))


def distance(one: list[str], other: list[str]) -> int:
    """The fewest words to change, add or leave out."""
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        diagonal, row[0] = row[0], i
        for j, b in enumerate(other, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (a != b))
    return row[-1]


if __name__ == "__main__":
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "sample_data")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tasks.json").write_text(json.dumps(tasks(folder), indent=1))
    print(f"Sample tasks are in {folder / 'tasks.json'}.")
