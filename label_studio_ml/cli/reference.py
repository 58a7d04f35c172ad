"""Writes docs/cli.md and docs/settings.md from the code: `python -m label_studio_ml.cli.reference --write`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from ..settings import SPECS, Group, option_names, shown_default
from .main import app

_MADE = "<!-- Made by `python -m label_studio_ml.cli.reference --write`; a test checks it. -->\n"

_INTRODUCTION = """\
Every setting is an option of `label-studio-ml start` and an environment variable: `LABEL_STUDIO_ML_` and the
option's name, as in `LABEL_STUDIO_ML_MAX_BATCH_SIZE`. Some also have the names that older packages read. An option
wins over the environment; our own variable wins over the older names, which count in the order given. Applications
that another server starts (`gunicorn _wsgi:app`) read the environment alone."""
_BESIDES = """\
A file `config.json` beside the model holds arguments for the model class, as `--with` does."""


def cli_page() -> str:
    """The reference of the command line."""
    root: Any = typer.main.get_command(app)
    lines = ["# Command line", "", _MADE, "    label-studio-ml COMMAND …", ""]
    for name, command in root.commands.items():
        for sub_name, sub_command in getattr(command, "commands", {}).items():
            lines += _command(f"{name} {sub_name}", sub_command)
        if not command.hidden and not hasattr(command, "commands"):
            lines += _command(name, command)
    return "\n".join(lines).rstrip() + "\n"


def _command(name: str, command: Any) -> Iterator[str]:
    arguments = [found for found in command.params if found.param_type_name == "argument"]
    options = [found for found in command.params if found.param_type_name == "option" and not found.hidden]
    grouped = [found for found in options if found.rich_help_panel]
    usage = " ".join(found.name.upper() for found in arguments)
    yield from (f"## `label-studio-ml {name}`", "", f"    label-studio-ml {name} {usage} [OPTIONS]", "")
    yield from ((command.help or "").strip(), "")
    yield from ("| argument or option | meaning | default |", "|---|---|---|")
    for found in arguments:
        yield f"| `{found.name.upper()}` | {_cell(found.help)} | |"
    for found in options:
        if found in grouped:
            continue
        names = ", ".join(f"`{option}`" for option in (*found.opts, *found.secondary_opts))
        yield f"| {names} | {_cell(found.help)} | {_default(found)} |"
    yield ""
    if grouped:  # the settings
        yield from _groups("###")


def _default(option: Any) -> str:
    if isinstance(option.show_default, str):
        return f"`{option.show_default}`"
    if not option.show_default or option.default in (None, False, "", [], ()):
        return ""
    return f"`{option.default}`"


def settings_page() -> str:
    """The reference of the settings."""
    return "\n".join(["# Settings", "", _MADE, _INTRODUCTION, "", *_groups("##"), _BESIDES]) + "\n"


def _groups(heading: str) -> Iterator[str]:
    """A table for each group of settings."""
    for group in Group:
        yield from (f"{heading} {group.value}", "")
        yield from ("| option | older names in the environment | meaning | default |", "|---|---|---|---|")
        for spec in SPECS:
            if spec.metadata["group"] is group:
                environment = ", ".join(f"`{name}`" for name in spec.metadata["env"])
                default = f"`{shown}`" if (shown := shown_default(spec)) else ""
                names = ", ".join(f"`{name}`" for name in option_names(spec))
                yield f"| {names} | {environment} | {_cell(spec.metadata['help'])} | {default} |"
        yield ""


def _cell(text: str | None) -> str:
    return (text or "").replace("|", "\\|").replace("\n", " ")


def pages() -> dict[Path, str]:
    """Every generated page by its path in the repository."""
    docs = Path(__file__).parents[2] / "docs"
    return {docs / "cli.md": cli_page(), docs / "settings.md": settings_page()}


def main() -> None:
    """Write the pages, or say which are out of date."""
    stale = [path for path, text in pages().items() if not path.exists() or path.read_text() != text]
    if "--write" in sys.argv:
        for path in stale:
            path.write_text(pages()[path])
            print(f"wrote {path.name}")
    elif stale:
        names = ", ".join(path.name for path in stale)
        sys.exit(f"Out of date in docs/: {names}. Run: python -m label_studio_ml.cli.reference --write")


if __name__ == "__main__":
    main()
