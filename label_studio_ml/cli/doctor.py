"""`label-studio-ml doctor`: call a running backend as Label Studio does, and say what would go wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from .. import settings
from ..errors import UsageError
from ..settings import Settings
from ..wire.deadlines import Deadlines
from .options import LabelStudioKey, LabelStudioUrl, Password, Running, SeenUrl, User, WebhookSecret
from .running import address_of

if TYPE_CHECKING:
    from ..doctor.findings import Finding

_EXIT = {"ok": 0, "warning": 0, "problem": 1}
_STYLE = {"ok": "green", "warning": "yellow", "problem": "bold red"}


OfProject = Annotated[int | None, typer.Option("--project", help="Number of the Label Studio project.")]
LabelConfig = Annotated[
    Path | None,
    typer.Option(
        "--label-config",
        help="File with the labeling config to use. Default: the project's, else `label_config.xml` in the "
        "backend's folder, else a made-up one.",
    ),
]
LabelStudioTimeout = Annotated[
    float,
    typer.Option(
        "--label-studio-timeout",
        help="Seconds that Label Studio waits for predictions; less where a proxy in between gives up earlier.",
    ),
]
FormerTimeout = Annotated[float | None, typer.Option("--predict-timeout", hidden=True)]
AsJson = Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")]


def doctor_command(
    target: Running = ".",
    label_studio_url: LabelStudioUrl = None,
    label_studio_api_key: LabelStudioKey = None,
    project: OfProject = None,
    basic_auth_user: User = None,
    basic_auth_pass: Password = None,
    webhook_secret: WebhookSecret = None,
    label_config: LabelConfig = None,
    url_for_label_studio: SeenUrl = None,
    label_studio_timeout: LabelStudioTimeout = Deadlines.predict,
    predict_timeout: FormerTimeout = None,
    as_json: AsJson = False,
) -> None:
    """Find out why predictions do not appear, or would not.

    Makes the calls that Label Studio makes, with its deadlines, to a running backend of this or an older package,
    and changes nothing there. With Label Studio's address and a token it also looks at how a project is connected.

    Exit status: 0 if there is no problem, 1 if there is one, 2 if the command makes no sense as given.
    """
    config = settings.load(
        label_studio_url=label_studio_url,
        label_studio_api_key=label_studio_api_key,
        basic_auth_user=basic_auth_user,
        basic_auth_pass=basic_auth_pass,
        webhook_secret=webhook_secret,
    )
    url = address_of(target)
    from ..doctor.examine import Question, examine
    from ..doctor.findings import worst

    findings = examine(
        Question(
            url=url,
            url_for_label_studio=url_for_label_studio or "",
            user=config.basic_auth_user,
            password=config.basic_auth_pass,
            webhook_secret=config.webhook_secret,
            label_studio_url=_label_studio(config, project),
            label_studio_api_key=config.label_studio_api_key,
            project=project,
            label_config=_read(label_config, target),
            deadlines=Deadlines(predict=predict_timeout or label_studio_timeout),
        )
    )
    (_print_json if as_json else _print)(url, findings)
    raise typer.Exit(_EXIT[worst(findings).value])


def _label_studio(config: Settings, project: int | None) -> str:
    if project is not None and not config.label_studio_url:
        raise UsageError("A project needs Label Studio's address: --label-studio-url, --label-studio-api-key.")
    return config.label_studio_url


def _read(given: Path | None, target: str) -> str:
    beside = Path(target) / "label_config.xml"
    path = given or (beside if beside.is_file() else None)
    if path is None:
        return ""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"The labeling config {path} cannot be read: {error}") from error


def _print_json(_url: str, findings: list[Finding]) -> None:
    from ..doctor.findings import as_json

    typer.echo(json.dumps(as_json(findings), indent=2, ensure_ascii=False))


def _print(url: str, findings: list[Finding]) -> None:
    console = Console(highlight=False)
    for about in dict.fromkeys(finding.about for finding in findings):
        heading = f"The backend at {url}" if about == "backend" else about
        console.print(Text(heading, style="bold"))
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
        table.add_column(no_wrap=True)
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        for finding in findings:
            if finding.about == about:
                said = Text(finding.what)
                if finding.fix:
                    said.append(f"\n→ {finding.fix}", style="cyan")
                table.add_row(Text(finding.status.value, style=_STYLE[finding.status.value]), finding.check, said)
        console.print(table)
        console.print()
    console.print(Text(_summary(findings), style="bold"))


def _summary(findings: list[Finding]) -> str:
    """The last line.

    >>> _summary([])
    'All is well.'
    """
    counts = {word: sum(finding.status.value == word for finding in findings) for word in ("problem", "warning")}
    parts = [f"{count} {word}{'s' if count > 1 else ''}" for word, count in counts.items() if count]
    return f"{', '.join(parts)}." if parts else "All is well."
