"""The examples that come with this package: what each is for and where its files are. Runs in the CLI."""

from __future__ import annotations

import difflib
from pathlib import Path

import msgspec

from ..errors import UsageError

FOLDER = Path(__file__).parents[1] / "examples"
ABOUT = "example.json"


class _About(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    title: str
    tasks: str
    """Which tags it fills, as in "Choices on Text"."""
    model: str
    learns: bool
    install_mb: int
    """Megabytes of the packages that it needs, this one left out."""
    group: str = "main"
    """Examples of a group can live in one virtual environment."""
    script: str = "model.py"
    single: float | None = None
    """Tasks a second on two cores with one worker, one by one; nothing is known where it is None."""
    batch: float | None = None
    """The same, many tasks in a request."""


class Example(_About, frozen=True, kw_only=True):
    """One example, as its `example.json` describes it."""

    name: str

    @property
    def folder(self) -> Path:
        """Where its files are."""
        return FOLDER / self.name


def catalogue() -> list[Example]:
    """Every example, by name."""
    found = []
    for path in sorted(FOLDER.glob(f"*/{ABOUT}")):
        about = msgspec.json.decode(path.read_bytes(), type=_About)
        found.append(Example(name=path.parent.name, **msgspec.structs.asdict(about)))
    return found


def find(name: str) -> Example:
    """The example of this name.

    Raises:
        UsageError: there is none; the message names those that there are.
    """
    known = {one.name: one for one in catalogue()}
    if name in known:
        return known[name]
    close = difflib.get_close_matches(name, known, 1)
    hint = f"Did you mean {close[0]}?" if close else f"There are {', '.join(known)}."
    raise UsageError(f"There is no example named {name!r}. {hint}")
