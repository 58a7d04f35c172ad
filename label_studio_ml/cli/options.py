"""Options that several commands share, and how times and figures are shown."""

from __future__ import annotations

import time
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

Target = Annotated[str, typer.Argument(help="Folder or script of the backend.")]
Running = Annotated[str, typer.Argument(help="Address of a running backend, or its folder on this machine.")]
Kwargs = Annotated[
    list[str],
    typer.Option("--with", "--kwargs", metavar="KEY=VALUE", help="Argument for the model class; repeat."),
]
Project = Annotated[str | None, typer.Option("--project", help="Only this Label Studio project.")]
Url = Annotated[
    str | None, typer.Option("--url", help="Address of a running backend, instead of a folder on this machine.")
]
User = Annotated[str | None, typer.Option("--basic-auth-user", help="User name, if the backend wants one.")]
Password = Annotated[str | None, typer.Option("--basic-auth-pass", help="Password, if the backend wants one.")]
LabelStudioUrl = Annotated[
    str | None, typer.Option("--label-studio-url", help="Label Studio's address. [LABEL_STUDIO_URL]")
]
LabelStudioKey = Annotated[
    str | None,
    typer.Option("--label-studio-api-key", help="A token for it, of either kind. [LABEL_STUDIO_API_KEY]"),
]
WebhookSecret = Annotated[
    str | None,
    typer.Option("--webhook-secret", help="The secret that the backend expects of webhooks, if it is locked."),
]
SeenUrl = Annotated[
    str | None,
    typer.Option(
        "--url-for-label-studio",
        help="The backend's address as Label Studio reaches it, where that is another one (containers).",
    ),
]


def show_table(columns: list[str], rows: list[list[str]]) -> None:
    """Print rows under their headings; only the last column may be broken into lines."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=240)  # a file, or another program: nothing is to be cut off
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for place, column in enumerate(columns):
        last = place == len(columns) - 1
        table.add_column(column, no_wrap=not last, overflow="fold", header_style="bold")
    for row in rows:
        table.add_row(*row)
    console.print(table)


def ago(when: float | None) -> str:
    """A time as people say it.

    >>> ago(None), ago(time.time() - 120)
    ('', '2 minutes ago')
    """
    if when is None:
        return ""
    seconds = time.time() - when
    if seconds < 0:
        return f"in {-seconds:.0f} s"
    for size, unit in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size:
            count = int(seconds // size)
            return f"{count} {unit}{'s' if count > 1 else ''} ago"
    return f"{seconds:.0f} s ago"


def metrics(values: dict[str, Any]) -> str:
    """Figures in one line.

    >>> metrics({"f1": 0.81234, "loss": 2})
    'f1=0.8123 loss=2'
    """
    return " ".join(f"{name}={value:.4g}" for name, value in values.items())
