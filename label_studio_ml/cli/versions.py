"""`label-studio-ml versions …`: what trainings left, which one predicts, and going back."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer
from msgspec.structs import asdict

from ..errors import UsageError
from . import backend
from .backend import Backend
from .options import Password, Project, Target, Url, User, ago, metrics, show_table

versions_app = typer.Typer(
    no_args_is_help=True, help="What trainings left, which one predicts, and going back.", rich_markup_mode=None
)
Name = Annotated[str, typer.Argument(help="The version's name or number, as `list` shows it.")]


@versions_app.command("list")
def list_versions(
    target: Target = ".",
    project: Project = None,
    url: Url = None,
    basic_auth_user: User = None,
    basic_auth_pass: Password = None,
) -> None:
    """Show the versions, newest first; the one that predicts has a star."""
    server = backend.reach(target, url, basic_auth_user=basic_auth_user, basic_auth_pass=basic_auth_pass)
    rows = [
        [
            "*" if version.active else "",
            version.project,
            str(version.number),
            version.version,
            version.state,
            ago(version.created_at),
            "" if version.duration is None else f"{version.duration:.1f} s",
            str(version.trained_on.get("tasks", "")),
            " ".join(filter(None, [metrics(version.metrics), version.error])),
        ]
        for version in server.list_versions(project)
    ]
    columns = ["", "Project", "Number", "Version", "State", "When", "Took", "Tasks", "Metrics, remark"]
    show_table(columns, rows)


@versions_app.command("show")
def show_version(
    name: Name,
    target: Target = ".",
    project: Project = None,
    url: Url = None,
    basic_auth_user: User = None,
    basic_auth_pass: Password = None,
) -> None:
    """Show everything about a version."""
    server = backend.reach(target, url, basic_auth_user=basic_auth_user, basic_auth_pass=basic_auth_pass)
    typer.echo(json.dumps(asdict(server.show_version(_project(server, project), name)), indent=2))


@versions_app.command("activate")
def activate_version(
    name: Name,
    target: Target = ".",
    project: Project = None,
    url: Url = None,
    basic_auth_user: User = None,
    basic_auth_pass: Password = None,
) -> None:
    """Let a version predict from now on, an older one as well; no prediction fails meanwhile."""
    server = backend.reach(target, url, basic_auth_user=basic_auth_user, basic_auth_pass=basic_auth_pass)
    version = server.activate_version(_project(server, project), name)
    typer.echo(f"Version {version.version} predicts for project {version.project}.")


@versions_app.command("delete")
def delete_version(
    name: Name,
    target: Target = ".",
    project: Project = None,
    url: Url = None,
    basic_auth_user: User = None,
    basic_auth_pass: Password = None,
) -> None:
    """Delete a version and its files; the one that predicts cannot be deleted."""
    server = backend.reach(target, url, basic_auth_user=basic_auth_user, basic_auth_pass=basic_auth_pass)
    server.delete_version(_project(server, project), name)
    typer.echo(f"Version {name} is deleted.")


@versions_app.command("diff")
def diff_versions(
    first: Name,
    second: Name,
    target: Target = ".",
    project: Project = None,
    url: Url = None,
    basic_auth_user: User = None,
    basic_auth_pass: Password = None,
) -> None:
    """Show where two versions differ: metrics, data, values, results of fit()."""
    server = backend.reach(target, url, basic_auth_user=basic_auth_user, basic_auth_pass=basic_auth_pass)
    chosen = _project(server, project)
    left, right = server.show_version(chosen, first), server.show_version(chosen, second)
    rows = [[name, _shown(one), _shown(other)] for name, one, other in _differences(asdict(left), asdict(right))]
    show_table(["", left.version, right.version], rows)


def _differences(left: dict[str, Any], right: dict[str, Any], prefix: str = "") -> list[tuple[str, Any, Any]]:
    found: list[tuple[str, Any, Any]] = []
    for name in dict.fromkeys([*left, *right]):
        one, other = left.get(name), right.get(name)
        if isinstance(one, dict) and isinstance(other, dict):
            found += _differences(one, other, f"{prefix}{name}.")
        elif one != other:
            found.append((f"{prefix}{name}", one, other))
    return found


def _shown(value: Any) -> str:
    text = "" if value is None else value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 200 else text[:199] + "…"


def _project(server: Backend, project: str | None) -> str:
    if project is not None:
        return project
    known = sorted({version.project for version in server.list_versions()})
    if len(known) == 1:
        return known[0]
    raise UsageError(f"Name the project with --project; this backend knows {', '.join(known) or 'none yet'}.")
