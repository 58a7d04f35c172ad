"""Options that several commands share, and how times and figures are shown."""

from __future__ import annotations

import time
from typing import Annotated, Any

import typer

Target = Annotated[str, typer.Argument(help="Folder or script of the backend.")]
Project = Annotated[str | None, typer.Option("--project", help="Only this Label Studio project.")]
Url = Annotated[
    str | None, typer.Option("--url", help="Address of a running backend, instead of a folder on this machine.")
]
User = Annotated[str | None, typer.Option("--basic-auth-user", help="User name, if the backend wants one.")]
Password = Annotated[str | None, typer.Option("--basic-auth-pass", help="Password, if the backend wants one.")]


def ago(when: float | None) -> str:
    """A time as people say it.

    >>> ago(None), ago(time.time() - 120)
    ('', '2 minutes ago')
    """
    if when is None:
        return ""
    seconds = time.time() - when
    for size, unit in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size:
            count = int(seconds // size)
            return f"{count} {unit}{'s' if count > 1 else ''} ago"
    return f"{max(seconds, 0):.0f} s ago"


def metrics(values: dict[str, Any]) -> str:
    """Figures in one line.

    >>> metrics({"f1": 0.81234, "loss": 2})
    'f1=0.8123 loss=2'
    """
    return " ".join(f"{name}={value:.4g}" for name, value in values.items())
