"""News about jobs: `python sample_data.py [FOLDER]` writes FOLDER/tasks.json.

Sentences, names, companies and places were written for this example and are put together at random (a fixed seed).
The last 30 texts have other sentences and names than the first 80.
"""

from __future__ import annotations

import json
import random
import re
import sys
from pathlib import Path
from typing import Any

from label_studio_ml import regions

PART = re.compile(r"\{(\w+)\}")
FIRST, LAST = 80, 30

SEEN = {
    "sentence": [
        "{Person} joins {Company} in {Place} as {Job}.",
        "{Company} has named {Person} its new {Job}.",
        "After six years at {Company}, {Person} moves to {Place}.",
        "The {Job} of {Company}, {Person}, leaves at the end of May.",
        "{Person} was {Job} at {Company} before the merger.",
        "{Company} opens an office in {Place} and is looking for a {Job}.",
        '"We are growing," said {Person}, {Job} at {Company}.',
        "In {Place}, {Company} and the city council have agreed on a new site.",
        "{Person} grew up in {Place} and became {Job} at thirty.",
        "Nobody at {Company} wanted to comment.",
        "The former {Job} {Person} now lives in {Place}.",
        "{Company} will close its plant near {Place}.",
        "According to {Person}, the post of {Job} stays vacant.",
        "{Person} leaves {Company} after only three months.",
    ],
    "Person": [
        "Maria Lopez",
        "James Carter",
        "Wei Zhang",
        "Aisha Khan",
        "Tom O'Neil",
        "Priya Nair",
        "Lucas Meyer",
        "Ms Kim",
        "Omar Haddad",
        "Elena Petrova",
        "Ben Walsh",
        "Sofia Rossi",
        "Dr. Adler",
        "Ingrid Solberg",
    ],
    "Company": [
        "Northwind Energy",
        "Halden & Sons",
        "Brightleaf",
        "Orion Foods",
        "Quill Labs",
        "Castor Bank",
        "Meridian Rail",
        "Lumen AG",
        "Two Rivers Press",
        "Pinetree Software",
        "Atlas Cement",
        "Vega Motors",
    ],
    "Place": ["Denver", "Oslo", "Lisbon", "Salt Lake City", "Leeds", "Osaka", "Cape Town", "Ghent", "Montreal"],
    "Job": [
        "chief engineer",
        "head of sales",
        "editor",
        "finance director",
        "product manager",
        "plant manager",
        "lead designer",
        "chairman",
    ],
}
NEW = {
    "sentence": [
        "{Company} welcomes {Person} as its {Job}.",
        "{Person}, until now {Job} at {Company}, goes back to {Place}.",
        "Workers of {Company} in {Place} went on strike on Monday.",
        "The board asked {Person} to stay on as {Job}.",
        "{Person} told {Company} that {Place} was too far away.",
    ],
    "Person": ["Hannah Brooks", "Diego Alvarez", "Yuki Tanaka", "Fatima Zahra", "Peter Novak", "Chloe Dubois"],
    "Company": ["Redwood Dairy", "Falcon Logistics", "Helios Glass", "Norden Paper", "Kite Studios"],
    "Place": ["Seattle", "Porto", "Bergen", "Kyoto", "Turin"],
    "Job": ["head of research", "sales manager", "treasurer", "chief designer"],
}  # fmt: skip


def news(words: dict[str, list[str]], chance: random.Random) -> tuple[str, list[dict[str, Any]]]:
    """A text and its labels."""
    text, spans, sentence, end = "", [], chance.choice(words["sentence"]), 0
    for part in PART.finditer(sentence):
        word = chance.choice(words[part.group(1)])
        text += sentence[end : part.start()]
        spans.append((part.group(1), len(text), len(text) + len(word)))
        text += word
        end = part.end()
    text += sentence[end:]
    return text, [regions.text_span("entity", "news", label, text=text, start=a, end=b) for label, a, b in spans]


def tasks(folder: Path) -> list[dict[str, Any]]:
    """Data of tasks, and the right labels for each."""
    chance = random.Random(0)
    texts = [news(SEEN, chance) for _ in range(FIRST)] + [news(NEW, chance) for _ in range(LAST)]
    return [{"data": {"text": text}, "answer": answer} for text, answer in texts]


def score(result: list[dict[str, Any]], answer: list[dict[str, Any]]) -> float:
    """F1 of the spans that have exactly the right start, end and label."""
    found, right = (
        {(one.start, one.end, one.label) for one in map(regions.read_text_span, some)}
        for some in ([region for region in result if region["type"] == "labels"], answer)
    )
    return 2 * len(found & right) / (len(found) + len(right)) if found or right else 1.0


if __name__ == "__main__":
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "sample_data")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tasks.json").write_text(json.dumps(tasks(folder), indent=1))
    print(f"Sample tasks are in {folder / 'tasks.json'}.")
