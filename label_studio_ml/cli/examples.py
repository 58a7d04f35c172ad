"""`label-studio-ml examples`: the backends to start from."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer

from ..scaffold.examples import Example, catalogue
from .options import show_table

AsJson = Annotated[bool, typer.Option("--json", help="Print everything that is known about them, for programs.")]


def examples_command(as_json: AsJson = False) -> None:
    """Show the example backends, what they label and what they need.

    Take one with: label-studio-ml init DIR --example NAME
    """
    found = catalogue()
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode(found)))
        return
    columns = ["Example", "Labels", "Learns", "Install", "Tasks/s", "Model"]
    show_table(columns, [_row(example) for example in found])
    typer.echo("\nTake one with: label-studio-ml init DIR --example NAME")


def _row(example: Example) -> list[str]:
    speed = max(example.single or 0.0, example.batch or 0.0)
    learns, size = "yes" if example.learns else "", f"{example.install_mb} MB"
    return [example.name, example.tasks, learns, size, f"{speed:.3g}" if speed else "", example.model]
