"""Makes a backend folder: the author's script, or a starter class, with everything around it.

Runs in the CLI. `files/` is itself such a folder, for the starter class; for a script only names change.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from ..errors import SourceError, UsageError
from .examples import ABOUT, Example
from .scan import choose_class

FILES = Path(__file__).parent / "files"
NO_DEPS = "requirements-no-deps.txt"
"""Packages whose own dependencies are left out: they ask for more than they need, or exclude other packages."""
_STARTER = "model.py"
_STARTER_CLASS = "NewModel"
_OURS = re.compile(r"(?im)^\s*label[-_.]studio[-_.]ml\b")


def create(
    directory: Path,
    script: Path | None = None,
    model_class: str | None = None,
    force: bool = False,
) -> Path:
    """Write a backend folder and return it.

    A script is copied under its own name; `requirements.txt`, `requirements-no-deps.txt`, `README.md` and
    `label_config.xml` beside it come along.

    Args:
        directory: the folder, made if need be.
        script: a Python file with a model class; without it a starter class is written.
        model_class: the class in the script; needed if there are several.
        force: write into a folder that is not empty. Files of the same names are overwritten, others stay.

    Raises:
        SourceError: the script cannot be used.
        UsageError: the folder is not empty, or is a file.
    """
    if script is not None:
        model_class = choose_class(script, model_class)
        _check_name(script)
    _check_free(directory, force)
    contents = {path.name: path.read_text() for path in sorted(FILES.iterdir()) if path.is_file()}
    if script is not None:
        contents = _adapt(contents, script, model_class or _STARTER_CLASS)
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in contents.items():
        (directory / name).write_text(text)
    if script is not None and not _same(script, directory / script.name):
        shutil.copyfile(script, directory / script.name)
    return directory


def create_from_example(directory: Path, example: Example, force: bool = False) -> Path:
    """Write a backend folder from an example and return it: all its files, and what they lack to be started.

    Raises:
        UsageError: the folder is not empty, or is a file.
    """
    create(directory, example.folder / example.script, force=force)
    for path in sorted(example.folder.iterdir()):
        if path.is_file() and path.name != ABOUT:
            shutil.copyfile(path, directory / path.name)
    return directory


def installing(folder: Path) -> list[str]:
    """The commands that install what a folder's `requirements*.txt` name, to be typed beside the folder."""
    commands = [f"pip install -r {folder / 'requirements.txt'}"]
    if (folder / NO_DEPS).exists():
        commands.append(f"pip install --no-deps -r {folder / NO_DEPS}")
    return commands


def _check_free(directory: Path, force: bool) -> None:
    if directory.exists() and not directory.is_dir():
        raise UsageError(f"{directory} is a file; choose another name for the folder.")
    if directory.is_dir() and any(directory.iterdir()) and not force:
        raise UsageError(f"{directory} is not empty; choose another folder, or overwrite with --force.")


def _check_name(script: Path) -> None:
    if script.suffix != ".py" or not script.stem.isidentifier():
        raise SourceError(f"{script.name} cannot be imported by that name; rename it, as in my_model.py.")
    if script.name != _STARTER and (FILES / script.name).exists():
        raise SourceError(f"{script.name} is the name of another file of a backend folder; rename the script.")


def _adapt(contents: dict[str, str], script: Path, model_class: str) -> dict[str, str]:
    """The same files for an author's script: without the starter, with the author's names and neighbours."""
    adapted = {
        name: text.replace("from model import", f"from {script.stem} import")
        .replace(_STARTER_CLASS, model_class)
        .replace(f"`{_STARTER}`", f"`{script.name}`")
        for name, text in contents.items()
        if name != _STARTER
    }
    for name in ("requirements.txt", NO_DEPS, "README.md", "label_config.xml"):
        neighbour = script.parent / name
        if neighbour.is_file():
            adapted[name] = neighbour.read_text()
    if NO_DEPS in adapted:
        install = "pip install --no-cache-dir"
        adapted["Dockerfile"] = (
            adapted["Dockerfile"]
            .replace("COPY requirements.txt .", f"COPY requirements.txt {NO_DEPS} ./")
            .replace(
                f"RUN {install} -r requirements.txt",
                f"RUN {install} -r requirements.txt \\\n    && {install} --no-deps -r {NO_DEPS}",
            )
        )
    if not _OURS.search(adapted["requirements.txt"]):
        adapted["requirements.txt"] = adapted["requirements.txt"].rstrip("\n") + "\nlabel-studio-ml\n"
    return adapted


def _same(first: Path, second: Path) -> bool:
    return second.exists() and first.samefile(second)
