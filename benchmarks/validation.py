"""What it costs to check a region: our rules beside the check of the SDK, tag by tag.

    python -m benchmarks.validation [--regions 50] [--rounds 15]

Prints microseconds a region, once warm: the median of the rounds. Each prediction has many regions of one tag.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

from label_studio_sdk.label_interface import LabelInterface

from label_studio_ml.validation.checker import Checker
from tests.support.region_samples import CONFIG, SAMPLES, sample, split


def predictions(regions: int) -> dict[str, list[dict[str, Any]]]:
    """For each tag, the regions of a prediction; ids are unique."""
    found: dict[str, list[dict[str, Any]]] = {}
    for control, (_, kind, _, _) in SAMPLES.items():
        found[f"{control} ({kind})"] = [sample(control, id=f"{number}") for number in range(regions)]
    pairs = [[region | {"id": f"{number}"} for region in split()] for number in range(regions // 2)]
    found["labels apart from their rectangles"] = [region for pair in pairs for region in pair]
    outline = [[number % 100, number * 7 % 100] for number in range(50)]
    found["polygon of 50 points"] = [
        sample("outline", value={"points": outline, "polygonlabels": ["Road"]}) for _ in range(regions)
    ]
    mask = [number % 256 for number in range(5000)]
    found["mask of 5000 bytes"] = [
        sample("mask", value={"format": "rle", "rle": mask, "brushlabels": ["Sky"]}) for _ in range(regions)
    ]
    return found


def microseconds(check: Callable[[], object], regions: int, rounds: int) -> list[float]:
    """Time for one region in each round, after one that does not count."""
    check()
    measured = []
    for _ in range(rounds):
        started = time.perf_counter()
        check()
        measured.append((time.perf_counter() - started) / regions * 1e6)
    return measured


def main() -> None:
    """Measure and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--regions", type=int, default=50, help="regions in a prediction (default 50)")
    parser.add_argument("--rounds", type=int, default=15, help="rounds to measure (default 15)")
    given = parser.parse_args()
    interface = LabelInterface(CONFIG)
    started = time.perf_counter()
    checker = Checker(interface)
    print(f"compiling the rules of {len(SAMPLES)} controls, once: {(time.perf_counter() - started) * 1e3:.1f} ms\n")
    print(f"{'microseconds a region':40} {'ours':>8} {'the SDK':>8} {'times':>6}")
    for name, result in predictions(given.regions).items():
        prediction = {"result": result, "score": 0.5}
        assert interface.validate_prediction(prediction), name
        ours = microseconds(lambda p=prediction: checker.check([p]), len(result), given.rounds)  # type: ignore[misc]
        theirs = microseconds(
            lambda p=prediction: interface.validate_prediction(p, return_errors=True),  # type: ignore[misc]
            len(result),
            given.rounds,
        )
        middle, sdk = statistics.median(ours), statistics.median(theirs)
        print(f"{name:40} {middle:8.1f} {sdk:8.1f} {sdk / middle:6.1f}")


if __name__ == "__main__":
    main()
