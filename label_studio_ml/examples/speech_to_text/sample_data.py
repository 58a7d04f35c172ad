"""People reading: `python sample_data.py [FOLDER]` writes FOLDER/tasks.json and the recordings.

The recordings and what is said in them are those in PocketSphinx's source package, which pip downloads (34 MB):
sentences of a novel, read for LibriVox, and playing cards.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

from label_studio_ml import regions

SOURCE = "pocketsphinx==5.1.1"
LINE = re.compile(r"<s> (.*?)\s*</s> \((\S+)\)")


def recorded() -> dict[str, bytes]:
    """Files by name: the test data in PocketSphinx's source package. pip brings it, and builds none of it."""
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([*pip, "--no-binary", "pocketsphinx", "--dest", folder, SOURCE], check=True)
        (archive,) = Path(folder).glob("pocketsphinx-*.tar.gz")
        with tarfile.open(archive) as packed:
            found = {one.name.partition("/test/data/")[2]: packed.extractfile(one) for one in packed}
            return {name: file.read() for name, file in found.items() if name and file}


def tasks(folder: Path) -> list[dict[str, Any]]:
    """Data of tasks, and what is said in each."""
    made, files = [], recorded()
    for listed in ("librivox/transcription", "cards/cards.transcription"):
        for text, name in LINE.findall(files[listed].decode()):
            (folder / f"{name}.wav").write_bytes(files[f"{listed.partition('/')[0]}/{name}.wav"])
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
