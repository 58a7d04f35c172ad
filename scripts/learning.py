"""Examples that learn, in a real Label Studio: `python -m scripts.learning [NAME …]` prints a table.

Predict some tasks; annotate 30 others with their known answers; Start training; predict the first again. How right
a prediction is, from 0 to 1, is counted by the example itself (`sample_data.score`).
"""

# ruff: noqa: T201 - it talks to a person

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

from label_studio_ml.scaffold import examples
from label_studio_ml.scaffold.examples import Example
from scripts.examples import LEARNED, Server, scores
from scripts.label_studio import Json, LabelStudio, running
from scripts.processes import free_port
from scripts.project import Project

UNTOUCHED = 24
"""Tasks that nothing is learned from."""

BY_DEFAULT = ["simple_text_classifier", "trainable_detector", "voice_activity"]
"""Text, boxes on images, audio."""


def learn(label_studio: LabelStudio, example: Example) -> tuple[float, float, float]:
    """The mean score before and after, and the seconds from the first annotation to the new version."""
    with tempfile.TemporaryDirectory() as name:
        server = Server(example, Path(name) / "backend", free_port(), Path(name) / "log")
        try:
            project = Project(label_studio, example, server, LEARNED, UNTOUCHED)
            before = _score(project, project.predict())
            began = time.monotonic()
            project.teach()
            seconds = time.monotonic() - began
            return before, _score(project, project.predict()), seconds
        except BaseException:
            print(server.process.log[-3000:], file=sys.stderr)
            raise
        finally:
            server.stop()


def _score(project: Project, predicted: dict[int, list[Json]]) -> float:
    pairs = [(predicted[task], sample["answer"]) for task, sample in project.others]
    return statistics.mean(scores(project.example, pairs))


def main() -> int:
    """Print the table; 1 when an example got no better."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"examples; {', '.join(BY_DEFAULT)} if left out")
    chosen = [examples.find(name) for name in parser.parse_args().names or BY_DEFAULT]
    if wrong := [one.name for one in chosen if not one.learns]:
        parser.error(f"{', '.join(wrong)} cannot learn")
    worse = []
    print(f"{'example':26}{'labels':32}{'learned':>8}{'untouched':>10}{'before':>8}{'after':>8}{'time':>7}")
    with running() as label_studio:
        for example in chosen:
            before, after, seconds = learn(label_studio, example)
            counts = f"{LEARNED:>8}{UNTOUCHED:>10}"
            print(
                f"{example.name:26}{example.tasks:32}{counts}{before:8.2f}{after:8.2f}{seconds:5.0f} s", flush=True
            )
            worse += [example.name] if after <= before else []
    if worse:
        print(f"No better than before: {', '.join(worse)}")
    return 1 if worse else 0


if __name__ == "__main__":
    sys.exit(main())
