"""`label-studio-ml test`: try a backend out without a server, and say what would go wrong."""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from .. import settings
from ..author import source
from ..errors import UsageError
from ..processes.messages import Source
from .options import Kwargs, LabelStudioKey, LabelStudioUrl, Target
from .start import parse_kwargs

if TYPE_CHECKING:
    from ..checks.plan import Plan
    from ..checks.report import Check, Report

_WIDTH = 100
"""Columns of a report that goes into a file or a CI log."""


LabelConfig = Annotated[
    str | None,
    typer.Option(
        "--label-config",
        metavar="FILE|TEMPLATE",
        help="Labeling config: an XML file, or the name of a template such as object-detection. "
        "Default: label_config.xml of the folder, else what its test_api.py or README.md shows.",
    ),
]
OfProject = Annotated[
    int | None,
    typer.Option("--project", help="Take labeling config and tasks from this project of your Label Studio."),
]
Tasks = Annotated[int, typer.Option("--tasks", min=1, help="Sample tasks to make, or to take from the project.")]
Fit = Annotated[bool, typer.Option("--fit/--no-fit", help="Whether to train, too.")]
Strict = Annotated[bool, typer.Option("--strict", help="Let warnings count as failures.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the report as JSON.")]


def checks_command(
    target: Target = ".",
    label_config: LabelConfig = None,
    project: OfProject = None,
    label_studio_url: LabelStudioUrl = None,
    label_studio_api_key: LabelStudioKey = None,
    tasks: Tasks = 4,
    fit: Fit = True,
    strict: Strict = False,
    as_json: AsJson = False,
    kwargs: Kwargs = [],  # noqa: B006 - Typer makes a new one
) -> None:
    """Try a backend out: predictions, an interactive call, training, and whether Label Studio would show them.

    No server and no Label Studio are needed; what the model learns and writes goes to a folder that is deleted
    afterwards. Exit status: 0 if nothing failed, 1 if something did, 2 if the command makes no sense as given.
    """
    found = source.locate(target)
    arguments = parse_kwargs(kwargs)
    if project is not None and label_config is not None:
        raise UsageError("Give --project or --label-config, not both.")
    if project is not None:
        config = settings.load(label_studio_url=label_studio_url, label_studio_api_key=label_studio_api_key)
        plan = _of_project(config, str(project), tasks, fit)
    else:
        plan = _of_folder(found.folder, label_config, tasks, fit)
    report = _rehearsed(found, plan, arguments)
    if as_json:
        typer.echo(json.dumps(report.as_dict(strict=strict), indent=2))
    else:
        _show(report)
    raise typer.Exit(0 if report.is_ok(strict=strict) else 1)


def _of_folder(folder: Path, label_config: str | None, count: int, fit: bool) -> Plan:
    from ..checks import configs
    from ..checks.plan import Plan

    config = configs.named(label_config) if label_config is not None else configs.of_folder(folder)
    if config is None:
        raise configs.missing(folder)
    return Plan(label_config=config, count=count, fit=fit)


def _of_project(config: settings.Settings, project_id: str, count: int, fit: bool) -> Plan:
    """The project's own config and tasks; where it has none, samples."""
    if not (config.label_studio_url and config.label_studio_api_key):
        raise UsageError(
            "--project needs your Label Studio: give --label-studio-url and --label-studio-api-key, "
            "or set LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY."
        )
    from ..checks import configs
    from ..checks.plan import Plan
    from ..label_studio import client

    connection = client.sdk_client(config.label_studio_url, config.label_studio_api_key)
    about = client.project(connection, project_id)
    tasks = client.first_tasks(connection, project_id, count)
    source_name = f"project {project_id} ({about.get('title', '')}) of {config.label_studio_url}"
    real = {"hostname": config.label_studio_url, "access_token": config.label_studio_api_key} if tasks else {}
    return Plan(
        label_config=configs.LabelConfig(about["label_config"], source_name),
        tasks=tasks,
        count=count,
        fit=fit,
        project_id=project_id,
        **real,
    )


def _rehearsed(found: Source, plan: Plan, arguments: dict[str, object]) -> Report:
    """Run the checks; what the model prints goes to stderr, so that stdout holds the report alone."""
    from ..checks import run

    console = Console(stderr=True, highlight=False)
    with contextlib.ExitStack() as exits:
        status = exits.enter_context(console.status("Trying out …")) if console.is_terminal else None
        exits.enter_context(contextlib.redirect_stdout(sys.stderr))

        def tell(check: Check) -> None:
            if status is not None:
                status.update(f"{check.name} …")

        return run.run_checks(found, plan, arguments, tell)


def _show(report: Report) -> None:
    console = Console(highlight=False)
    if console.is_terminal and not console.options.ascii_only:
        console.print(report.rendered())
    else:
        width = console.width if console.is_terminal else _WIDTH
        typer.echo(report.text(width, ascii_only=console.options.ascii_only), nl=False)
