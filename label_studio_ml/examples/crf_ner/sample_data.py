"""Delivery notes with US addresses: `python sample_data.py [FOLDER]` writes FOLDER/tasks.json.

Sentences, names, streets and towns were written for this example and are put together at random, with a fixed seed.
The last 40 notes have other sentences, names, streets and towns than the first 60.
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
FIRST, LAST = 60, 40
TYPES = ["Street", "St", "Avenue", "Ave", "Road", "Rd", "Lane", "Drive", "Dr", "Court", "Boulevard", "Way"]
UNITS = ["Apt {n}", "Unit {n}", "Suite {n}", "# {n}", "Floor {n}", "Apt {n}B"]

SEEN: dict[str, list[str]] = {
    "sentence": [
        "Please deliver to {Name}, {Street}, {City}, {State} {ZIP} before noon.",
        "Ship the order to {Name} at {Street}, {Unit}, {City}, {State} {ZIP}.",
        "{Name} has moved; the new address is {Street} in {City}, {State}.",
        "Leave the parcel with the neighbours if nobody opens at {Street}, {City} {ZIP}.",
        "Return label: {Street}, {Unit}, {City}, {State} {ZIP}",
        "The invoice goes to {Name}, the goods to {Street}, {City}, {State}.",
        "{Street}, {City}, {State} {ZIP}",
        "Pick up two boxes from {Name}, {Street}, {City}. Ring twice.",
        "Our driver waited at {Street} for 20 minutes, then left.",
        "Customer {Name} called from {City}: the parcel of 3 May never came.",
        "Wrong ZIP! It must be {ZIP}, not the one on the label for {City}, {State}.",
        "Call {Name} when you are in {City}.",
    ],
    "Name": [
        "Maria Lopez",
        "James Carter",
        "Wei Zhang",
        "Aisha Khan",
        "Tom O'Neil",
        "Priya Nair",
        "Lucas Meyer",
        "Grace Kim",
        "Omar Haddad",
        "Elena Petrova",
        "Ben Walsh",
        "Sofia Rossi",
    ],
    "street": [
        "Oak",
        "Maple",
        "Washington",
        "Sunset",
        "Hillcrest",
        "Cedar",
        "Lincoln",
        "Park",
        "2nd",
        "Riverside",
        "Mill Creek",
        "Old Church",
        "14th",
        "Peach Tree",
        "N Main",
        "West Elm",
    ],
    "City": ["Denver", "Austin", "Portland", "Salt Lake City", "Boise", "Madison", "Tampa", "New Haven", "Omaha"],
    "State": ["CO", "TX", "OR", "UT", "ID", "WI", "FL", "CT", "NE"],
}
NEW: dict[str, list[str]] = {
    "sentence": [
        "Kindly send everything to {Name}, {Street}, {City}, {State} {ZIP}.",
        "{Name} lives at {Street}, {Unit}, in {City}, {State}.",
        "Drop it at the back door of {Street}, {City} {ZIP}, after 5 pm.",
        "New customer: {Name}, {Street}, {City}, {State} {ZIP}",
        "The truck broke down near {Street} on its way to {City}.",
        "Ask {Name} whether the 12 chairs have arrived in {City}, {State}.",
    ],
    "Name": ["Hannah Brooks", "Diego Alvarez", "Yuki Tanaka", "Fatima Zahra", "Peter Novak", "Chloe Dubois"],
    "street": ["Birch", "Jefferson", "Lakeview", "9th", "Stone Bridge", "E Harbor", "Willow", "Franklin"],
    "City": ["Seattle", "Phoenix", "Grand Rapids", "Savannah", "Reno", "Santa Fe"],
    "State": ["WA", "AZ", "MI", "GA", "NV", "NM"],
}  # fmt: skip


def note(words: dict[str, list[str]], chance: random.Random) -> tuple[str, list[dict[str, Any]]]:
    """A text and its labels."""
    made: dict[str, str] = {name: chance.choice(words[name]) for name in ("Name", "City", "State")}
    made["Street"] = f"{chance.randint(1, 9999)} {chance.choice(words['street'])} {chance.choice(TYPES)}"
    made["Unit"] = chance.choice(UNITS).format(n=chance.randint(1, 40))
    made["ZIP"] = f"{chance.randint(10000, 99999)}"
    text, spans, sentence, end = "", [], chance.choice(words["sentence"]), 0
    for part in PART.finditer(sentence):
        text += sentence[end : part.start()]
        spans.append((part.group(1), len(text), len(text) + len(made[part.group(1)])))
        text += made[part.group(1)]
        end = part.end()
    text += sentence[end:]
    return text, [
        regions.text_span("part", "note", label, text=text, start=start, end=end) for label, start, end in spans
    ]


def tasks(folder: Path) -> list[dict[str, Any]]:
    """Data of tasks, and the right labels for each."""
    chance = random.Random(0)
    notes = [note(SEEN, chance) for _ in range(FIRST)] + [note(NEW, chance) for _ in range(LAST)]
    return [{"data": {"text": text}, "answer": answer} for text, answer in notes]


def score(result: list[dict[str, Any]], answer: list[dict[str, Any]]) -> float:
    """F1 of the spans that have exactly the right start, end and label."""
    found, right = (
        {(one.start, one.end, one.label) for one in map(regions.read_text_span, some)} for some in (result, answer)
    )
    return 2 * len(found & right) / (len(found) + len(right)) if found or right else 1.0


if __name__ == "__main__":
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "sample_data")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tasks.json").write_text(json.dumps(tasks(folder), indent=1))
    print(f"Sample tasks are in {folder / 'tasks.json'}.")
