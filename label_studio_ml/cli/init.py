"""`label-studio-ml init`: a new backend folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..errors import UsageError
from ..scaffold.examples import find
from ..scaffold.scan import split_spec
from ..scaffold.write import create, create_from_example, installing

Directory = Annotated[Path, typer.Argument(metavar="DIR", help="The backend's folder.", show_default=False)]
Script = Annotated[
    str | None,
    typer.Option(
        "--script",
        "--from",
        metavar="PATH.py[:Class]",
        help="Your script; name the class if it holds several. Without it you get a starter class.",
        show_default=False,
    ),
]
Sample = Annotated[
    str | None,
    typer.Option(
        "--example",
        metavar="NAME",
        help="Start from an example; `label-studio-ml examples` lists them.",
        show_default=False,
    ),
]
Force = Annotated[bool, typer.Option("--force", help="Overwrite files of a folder that is not empty; others stay.")]
RootDir = Annotated[Path, typer.Option("--root-dir", metavar="DIR", help="Where the backend's folder is.")]


def init_command(
    directory: Directory,
    script: Script = None,
    example: Sample = None,
    force: Force = False,
    root_dir: RootDir = Path(),
) -> None:
    """Create a folder with a model class and everything to start, test and containerise it.

    Start it afterwards with: label-studio-ml start DIR
    """
    if example is not None:
        if script is not None:
            raise UsageError("--script and --example exclude each other: start from one of the two.")
        folder = create_from_example(root_dir / directory, find(example), force=force)
        needed = "".join(f"    {command}\n" for command in installing(folder))
        print(f"Your backend is in {folder}. What it needs, and then its start:\n\n{needed}", end="")
        print(f"    label-studio-ml start {folder}\n")
        return
    folder = write_folder(root_dir / directory, script, force=force)
    print(f"Your backend is in {folder}. Start it with:\n\n    label-studio-ml start {folder}\n")


def write_folder(folder: Path, script: str | None, *, force: bool) -> Path:
    """Create a backend folder from what was typed after `--script`."""
    path, model_class = split_spec(script) if script else (None, None)
    return create(folder, path, model_class, force=force)
