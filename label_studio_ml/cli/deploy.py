"""`label-studio-ml deploy`: a backend folder becomes a service at a cloud provider."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Annotated

import typer

from ..errors import UsageError
from ..settings import env_names
from .init import Directory, Force, RootDir, Script, write_folder

GcpProject = Annotated[
    str | None,
    typer.Option(envvar="GCP_PROJECT", help="Google Cloud project to deploy to.", show_default=False),
]
GcpRegion = Annotated[str, typer.Option(envvar="GCP_REGION", help="Google Cloud region to deploy to.")]
LabelStudioHost = Annotated[
    str | None,
    typer.Option(
        envvar=env_names("label_studio_url"),
        help="Label Studio's address, if the one it sends does not work from the cloud.",
        show_default=False,
    ),
]
LabelStudioKey = Annotated[
    str | None,
    typer.Option(envvar=env_names("label_studio_api_key"), help="API token for it.", show_default=False),
]
User = Annotated[
    str | None,
    typer.Option(envvar=env_names("basic_auth_user"), help="User that Label Studio must send.", show_default=False),
]
Password = Annotated[
    str | None,
    typer.Option(
        envvar=env_names("basic_auth_pass"), help="Password that Label Studio must send.", show_default=False
    ),
]


def deploy_command(
    provider: Annotated[str, typer.Argument(metavar="PROVIDER", help="`gcp`: Google Cloud Run.")],
    directory: Directory,
    script: Script = None,
    force: Force = False,
    root_dir: RootDir = Path(),
    gcp_project_id: GcpProject = None,
    gcp_region: GcpRegion = "us-central1",
    label_studio_host: LabelStudioHost = None,
    label_studio_api_key: LabelStudioKey = None,
    basic_auth_user: User = None,
    basic_auth_pass: Password = None,
) -> None:
    """Deploy a backend folder to Google Cloud Run, with the gcloud command.

    The folder is created first when a script is given or when it does not exist. The service can be called by
    anyone who knows its address, so give it a user and a password. What it learned is lost when it restarts.
    """
    if provider != "gcp":
        raise UsageError(f"{provider!r} is not a known provider; the only one is gcp.")
    if not gcp_project_id:
        raise UsageError("Which Google Cloud project? Give --gcp-project-id or set GCP_PROJECT.")
    folder = root_dir / directory
    service = service_name(folder)
    gcloud = _logged_in_gcloud()
    if script is not None or not folder.exists():
        write_folder(folder, script, force=force)
    variables = {
        "LABEL_STUDIO_URL": label_studio_host,
        "LABEL_STUDIO_API_KEY": label_studio_api_key,
        "BASIC_AUTH_USER": basic_auth_user,
        "BASIC_AUTH_PASS": basic_auth_pass,
    }
    given = {name: value for name, value in variables.items() if value}
    print(f"Deploying {folder} as the service {service} to {gcp_project_id} in {gcp_region} ...", flush=True)
    command = [gcloud, *_arguments(service, folder, gcp_project_id, gcp_region, given)]
    status = subprocess.run(command, check=False).returncode
    if status:
        raise UsageError(f"gcloud run deploy ended with status {status}; what it printed says why.")
    print(f"Deployed {service}. Connect the address above in Label Studio: Settings, Model, Connect Model.")


def _arguments(service: str, folder: Path, project: str, region: str, variables: dict[str, str]) -> list[str]:
    """What to tell gcloud."""
    return [
        *("run", "deploy", service),
        *("--source", str(folder)),
        *("--project", project),
        *("--region", region),
        *("--port", "9090"),
        *("--max-instances", "1"),  # versions live in one instance; a second would know others
        "--no-cpu-throttling",  # training goes on after the reply to the webhook
        "--allow-unauthenticated",  # Label Studio has no Google identity; it can send basic auth
        "--quiet",
        *(("--update-env-vars", env_vars(variables)) if variables else ()),
    ]


def service_name(folder: Path) -> str:
    """Return a folder's name as Cloud Run accepts it.

    Raises:
        UsageError: nothing of the name can be used.

    >>> service_name(Path("work/My_Backend.2"))
    'my-backend-2'
    """
    name = re.sub(r"[^a-z0-9]+", "-", folder.resolve().name.lower())
    name = re.sub(r"^[^a-z]+", "", name)[:49].strip("-")
    if not name:
        raise UsageError(f"No service can be named after {folder}; its name needs a letter a to z.")
    return name


def env_vars(variables: dict[str, str]) -> str:
    """Return variables as gcloud takes them, separated by something that is in none of them.

    >>> env_vars({"USER": "a,b", "PASS": "c;d"})
    '^|^USER=a,b|PASS=c;d'
    """
    text = "".join(variables.values())
    separator = next(mark for mark in (";", "|", "~", *map(chr, range(0xA1, 0x200))) if mark not in text)
    return f"^{separator}^" + separator.join(f"{name}={value}" for name, value in variables.items())


def _logged_in_gcloud() -> str:
    gcloud = shutil.which("gcloud")
    if gcloud is None:
        raise UsageError("The gcloud command is not there; install it: https://cloud.google.com/sdk/docs/install")
    login = subprocess.run([gcloud, "auth", "print-identity-token"], check=False, capture_output=True, text=True)
    if login.returncode or not login.stdout.strip():
        raise UsageError("You are not logged in to Google Cloud; run: gcloud auth login")
    return gcloud
