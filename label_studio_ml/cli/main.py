"""The command `label-studio-ml`: one module per subcommand, errors in one line."""

from __future__ import annotations

import logging
import sys
from typing import Annotated

import typer

from .. import __version__
from ..errors import BackendError, UsageError
from .connect import connect_command
from .deploy import deploy_command
from .doctor import doctor_command
from .examples import examples_command
from .grouped import GroupedCommand
from .init import init_command
from .jobs import jobs_app
from .start import start_command
from .test import checks_command
from .versions import versions_app

app = typer.Typer(
    name="label-studio-ml",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"label-studio-ml {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Put a machine-learning model behind Label Studio.

    Start with: label-studio-ml init my_backend, then label-studio-ml start my_backend.
    """


app.command("init", short_help="Create a backend folder.")(init_command)
app.command("create", hidden=True)(init_command)
app.command("examples")(examples_command)
app.command("start", cls=GroupedCommand)(start_command)
app.command("connect", short_help="Make a running backend the model of a Label Studio project.")(connect_command)
app.command("doctor")(doctor_command)
app.command("test", short_help="Try a backend out without a server.")(checks_command)
app.add_typer(versions_app, name="versions")
app.add_typer(jobs_app, name="jobs")
app.command("deploy", short_help="Deploy a backend folder to Google Cloud Run.")(deploy_command)


def spread(arguments: list[str]) -> list[str]:
    """Let `--with` take several values, as it always did.

    >>> spread(["start", "x", "--with", "a=1", "b=2", "-p", "1"])
    ['start', 'x', '--with', 'a=1', '--with', 'b=2', '-p', '1']
    """
    result: list[str] = []
    taking = False
    for argument in arguments:
        if taking and "=" in argument and not argument.startswith("-"):
            if result[-1] not in ("--with", "--kwargs"):
                result.append("--with")
        else:
            taking = argument in ("--with", "--kwargs")
        result.append(argument)
    return result


def main() -> None:
    """Run the command line; our own errors become one line and a non-zero exit status."""
    logging.getLogger("stamina").setLevel(logging.ERROR)  # the error in the end says it once
    try:
        app(spread(sys.argv[1:]))
    except BackendError as error:
        typer.echo(f"Error: {error}", err=True)
        sys.exit(2 if isinstance(error, UsageError) else 1)
