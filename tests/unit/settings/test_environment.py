"""Who may read the environment."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import label_studio_ml

PACKAGE = Path(label_studio_ml.__file__).parent
ALLOWED = {
    "settings/environment.py": "reads it for everybody",
    "processes": "hands the whole of it to child processes",
    "stage": "sets what models expect to find in it, and puts it back",
    "cli/deploy.py": "Typer reads what gcloud's users set, and names it in the help",
}
OF_AUTHORS = ("examples", "scaffold/files")  # their code reads what it likes


def readers(tree: ast.AST) -> Iterator[ast.AST]:
    """The places in a module that read the environment, or have Typer read it."""
    for node in ast.walk(tree):
        names = {"environ", "environb", "getenv", "getenvb"}
        if (isinstance(node, ast.Attribute) and node.attr in names) or (
            isinstance(node, ast.ImportFrom) and node.module == "os" and names & {name.name for name in node.names}
        ):
            yield node
        if isinstance(node, ast.keyword) and node.arg == "envvar":
            yield node


def files_that_read() -> set[str]:
    found = set()
    for path in PACKAGE.rglob("*.py"):
        name = path.relative_to(PACKAGE).as_posix()
        if not name.startswith(OF_AUTHORS) and any(readers(ast.parse(path.read_text(encoding="utf-8")))):
            found.add(name)
    return found


def test_one_module_reads_the_environment() -> None:
    others = {name for name in files_that_read() if not name.startswith(tuple(ALLOWED))}
    assert not others, "read it through label_studio_ml.settings"


def test_every_exception_is_still_needed() -> None:
    reading = files_that_read()
    assert [place for place in ALLOWED if not any(name.startswith(place) for name in reading)] == []


def test_every_way_of_reading_is_seen() -> None:
    code = "os.environ['A']\nos.getenv('A')\nfrom os import environ\ntyper.Option(envvar='A')\nos.sep\n"
    assert len(list(readers(ast.parse(code)))) == 4
