"""`connect` and `doctor` as a person runs them before a real Label Studio, and what they change there."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from scripts.label_studio import Json, LabelStudio
from scripts.processes import wait_until
from tests.support.sentiment_project import label_config
from tests.support.servers import ServerProcess, run_command

LOCKED = ("--basic-auth-user", "label", "--basic-auth-pass", "studio")
SECRET = ("--webhook-secret", "s3cret")


def run(
    command: str, api: LabelStudio, *arguments: str | Path, token: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run a command that knows Label Studio's address and token from its environment."""
    known = {"LABEL_STUDIO_URL": api.url, "LABEL_STUDIO_API_KEY": token or api.token, "COLUMNS": "80"}
    return run_command(command, *arguments, env=known, timeout=240)


def connect(api: LabelStudio, url: str, project: int, *more: str, token: str = "") -> str:
    done = run("connect", api, url, "--project", str(project), *more, token=token)
    assert (done.returncode, done.stderr) == (0, ""), done
    return done.stdout


def refused(api: LabelStudio, url: str, project: int, *more: str, token: str = "") -> str:
    done = run("connect", api, url, "--project", str(project), *more, token=token)
    assert (done.returncode, done.stdout) == (1, ""), done
    assert done.stderr.startswith("Error: ")
    return " ".join(done.stderr.split())


def examined(api: LabelStudio, url: str, project: int | None, *more: str, token: str = "") -> dict[str, Json]:
    """What the doctor finds about Label Studio, by the name of the check, the worst of each."""
    named = () if project is None else ("--project", str(project))
    done = run("doctor", api, url, *named, "--json", *more, token=token)
    assert done.stderr == "", done
    found: dict[str, Json] = {}
    for one in json.loads(done.stdout)["findings"]:
        key = one["check"] if one["about"] == "Label Studio" else f"backend {one['check']}"
        if key not in found or found[key]["status"] == "ok":
            found[key] = one
    return found


def wrong(findings: dict[str, Json]) -> set[str]:
    return {name for name, one in findings.items() if one["status"] == "problem"}


def seen(api: LabelStudio, project: int) -> Any:
    """Everything that `connect` may change in Label Studio, times of looking at it left out."""
    backends = api.call("GET", f"/api/ml?project={project}")
    kept = [{name: one[name] for name in one if name != "updated_at"} for one in backends]
    return kept, api.webhooks(project), api.call("GET", f"/api/projects/{project}/")["model_version"]


def make(api: LabelStudio, *texts: str) -> tuple[int, list[int]]:
    project = api.create_project("connected", label_config("Positive", "Negative"))
    return project, api.import_tasks(project, [{"text": text} for text in texts or ("positive", "negative")])


def ready(server: ServerProcess, auth: tuple[str, str] | None = None) -> ServerProcess:
    with server.client(auth) as client:
        wait_until(lambda: client.get("/health").json()["model"]["state"] == "ready", 60, "the model to be loaded")
    return server
