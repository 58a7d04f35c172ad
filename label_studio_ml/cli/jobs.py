"""`label-studio-ml jobs …`: trainings that wait, run, or have ended."""

from __future__ import annotations

import time
from typing import Annotated

import msgspec
import typer

from ..wire.replies import JobDetails
from . import backend
from .options import Password, Project, Target, Url, User, ago, metrics, show_table

jobs_app = typer.Typer(no_args_is_help=True, help="Trainings that wait, run, or have ended.", rich_markup_mode=None)
JobId = Annotated[str, typer.Argument(help="The job's id, as `list` shows it.")]


@jobs_app.command("list")
def list_jobs(
    target: Target = ".",
    project: Project = None,
    url: Url = None,
    basic_auth_user: User = None,
    basic_auth_pass: Password = None,
) -> None:
    """Show the newest jobs."""
    server = backend.reach(target, url, basic_auth_user=basic_auth_user, basic_auth_pass=basic_auth_pass)
    rows = [
        [
            job.job,
            job.project,
            job.state,
            job.started_by,
            ago(job.created_at),
            str(job.attempts),
            "" if job.progress is None else f"{job.progress:.0%}",
            " ".join(filter(None, [metrics(job.metrics), job.error])),
        ]
        for job in server.list_jobs(project)
    ]
    show_table(["Job", "Project", "State", "Started by", "When", "Tries", "Done", "Metrics, error"], rows)


@jobs_app.command("show")
def show_job(
    job: JobId,
    target: Target = ".",
    url: Url = None,
    basic_auth_user: User = None,
    basic_auth_pass: Password = None,
) -> None:
    """Show everything about a job, the whole error included."""
    server = backend.reach(target, url, basic_auth_user=basic_auth_user, basic_auth_pass=basic_auth_pass)
    _print(server.show_job(job))


@jobs_app.command("logs")
def job_logs(
    job: JobId,
    target: Target = ".",
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the job has ended.")] = False,
    url: Url = None,
    basic_auth_user: User = None,
    basic_auth_pass: Password = None,
) -> None:
    """Show what a job printed and logged."""
    server = backend.reach(target, url, basic_auth_user=basic_auth_user, basic_auth_pass=basic_auth_pass)
    offset, was_active = 0, False
    while True:
        part = server.job_log(job, offset)
        typer.echo(part.text, nl=False)
        more = part.offset != offset
        offset = part.offset
        if not more:
            if not (follow and (part.active or was_active)):
                return
            was_active = part.active  # the last lines may come a moment after the end
            time.sleep(0.5)


@jobs_app.command("cancel")
def cancel_job(
    job: JobId,
    target: Target = ".",
    url: Url = None,
    basic_auth_user: User = None,
    basic_auth_pass: Password = None,
) -> None:
    """End a job that waits or runs; its events will not be trained on."""
    server = backend.reach(target, url, basic_auth_user=basic_auth_user, basic_auth_pass=basic_auth_pass)
    state = server.cancel_job(job).state
    ending = "is being ended" if state == "started" else f"is {state}"
    typer.echo(f"Job {job} {ending}.")


@jobs_app.command("retry")
def retry_job(
    job: JobId,
    target: Target = ".",
    url: Url = None,
    basic_auth_user: User = None,
    basic_auth_pass: Password = None,
) -> None:
    """Run the events of a finished job again, as a new job."""
    server = backend.reach(target, url, basic_auth_user=basic_auth_user, basic_auth_pass=basic_auth_pass)
    typer.echo(f"Queued as job {server.retry_job(job).job}.")


def _print(job: JobDetails) -> None:
    for name, value in msgspec.structs.asdict(job).items():
        if value not in (None, "", {}):
            shown = ago(value) if name.endswith("_at") else value
            typer.echo(f"{name:13} {shown}")
