"""Exercises seen by a smart watch: `python sample_data.py [FOLDER]` writes FOLDER/tasks.json and the series.

The data ship in the package seglearn: six channels at 50 Hz of 10 people doing seven shoulder exercises (D. Burns
et al., 2018). Each series here strings three exercises of one person together.
"""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path
from typing import Any

import numpy as np
from seglearn.datasets import load_watch

from label_studio_ml import regions

RATE = 50
IN_A_SERIES = 3
OF_A_PERSON = 8


def tasks(folder: Path) -> list[dict[str, Any]]:
    """Data of tasks, and the right spans for each. People of the first half are not in the second."""
    watch, chance, made = load_watch(), random.Random(0), []
    for person in np.unique(watch["subject"]):
        theirs = [
            (watch["X"][i], watch["y_labels"][watch["y"][i]]) for i in np.flatnonzero(watch["subject"] == person)
        ]
        for number in range(OF_A_PERSON):
            pieces, answer, row = [], [], 0
            for series, label in chance.sample(theirs, min(IN_A_SERIES, len(theirs))):
                rows = min(len(series), chance.randint(5 * RATE, 10 * RATE))
                start = chance.randrange(len(series) - rows + 1)
                pieces.append(series[start : start + rows])
                end = (row + rows - 1) / RATE
                answer.append(regions.time_series_span("exercise", "watch", label, start=row / RATE, end=end))
                row += rows
            name = f"person {person} series {number}.csv"
            values = np.concatenate(pieces)
            table = np.column_stack([np.arange(len(values)) / RATE, values])
            header = ",".join(["time", *watch["X_labels"]])
            np.savetxt(folder / name, table, "%.3f", ",", header=header, comments="")
            made.append({"data": {"csv": name}, "answer": answer})
    return made


def score(result: list[dict[str, Any]], answer: list[dict[str, Any]]) -> float:
    """The share of the labelled time that has the right label: twice the common time by the time of both."""
    found, right = spans(result), spans(answer)
    common = sum(
        max(0.0, min(end, last) - max(start, first))
        for label, start, end in found
        for other, first, last in right
        if label == other
    )
    total = sum(end - start for _, start, end in [*found, *right])
    return 2 * common / total if total else 1.0


def spans(result: list[dict[str, Any]]) -> list[tuple[str, float, float]]:
    """Label, start and end in seconds of each region."""
    read = [regions.read_time_series_span(region) for region in result]
    return [(str(one.label), float(one.start), float(one.end)) for one in read]


if __name__ == "__main__":
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "sample_data")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tasks.json").write_text(json.dumps(tasks(folder), indent=1))
    print(f"Sample tasks are in {folder / 'tasks.json'}.")
