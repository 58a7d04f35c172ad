"""What the package imports it asks for: whoever installs it gets all of it, and not by way of somebody else."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from tests.support.paths import REPOSITORY

PACKAGE = REPOSITORY / "label_studio_ml"
NOT_OURS = (PACKAGE / "examples", PACKAGE / "scaffold" / "files")
"""Folders of users, which have requirements of their own."""
FOR_THOSE_WHO_HAVE_IT = {"pytest"}
"""What is only imported by a module that nobody needs who has not got it."""


def imported(path: Path) -> Iterator[str]:
    """The top-level names of all modules that a file imports, wherever in it that is."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name.partition(".")[0] for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def declared() -> set[str]:
    """Names of the distributions that the package asks for, without extras."""
    _, _, rest = (REPOSITORY / "pyproject.toml").read_text().partition("\ndependencies = ")
    lines = ast.literal_eval(rest.partition("\n]")[0] + "]")  # a list of strings looks the same in Python
    return {re.split(r"[^\w.-]", line, maxsplit=1)[0] for line in lines}


def brought(distribution: str) -> set[str]:
    """The top-level modules that a distribution brings."""
    return {file.parts[0].partition(".")[0] for file in metadata.files(distribution) or ()}


def test_every_import_is_declared() -> None:
    known = {"label_studio_ml", *sys.stdlib_module_names, *FOR_THOSE_WHO_HAVE_IT}.union(*map(brought, declared()))
    missing = {
        f"{name} ({path.relative_to(REPOSITORY)})"
        for path in PACKAGE.rglob("*.py")
        if not any(folder in path.parents for folder in NOT_OURS)
        for name in imported(path)
        if name not in known
    }
    assert missing == set()


def test_every_dependency_is_explained() -> None:
    page = (REPOSITORY / "docs" / "dependencies.md").read_text()
    assert [name for name in sorted(declared()) if f"`{name}`" not in page] == []
