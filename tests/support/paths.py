"""Where things are in the repository."""

from __future__ import annotations

from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
DOCS = REPOSITORY / "docs"
BACKENDS = REPOSITORY / "tests" / "backends"
RECORDINGS = REPOSITORY / "tests" / "recordings" / "label-studio-1.23.2"
"""Requests as Label Studio sent them, one JSON file each."""
REFUSALS = REPOSITORY / "tests" / "recordings" / "label-studio-1.23.2-refusals.json"
"""Error replies of Label Studio, each with its status, by what was wrong."""
