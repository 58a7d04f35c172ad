"""The whole thing on one computer: `python -m scripts.demo NAME`, usually as `make demo EXAMPLE=NAME`.

Starts an example and a real Label Studio, makes a project of its sample data and connects them.
What it keeps is in `demo/` and `.venv-label-studio`; a second run goes on with what the first one made.
"""

# ruff: noqa: T201 - it talks to a person

from __future__ import annotations

import argparse
import contextlib
import signal
import socket
import sys
import tempfile
from pathlib import Path

from label_studio_ml.errors import UsageError
from label_studio_ml.scaffold.examples import Example, find
from scripts.examples import Server, published, samples
from scripts.label_studio import Account, LabelStudio, LabelStudioServer, install, is_installed
from scripts.processes import wait_until

ROOT = Path(__file__).resolve().parents[1]
DEMO = ROOT / "demo"
VENV = ROOT / ".venv-label-studio"
DEFAULT = "simple_text_classifier"


def is_taken(port: int) -> bool:
    """Whether something on this computer listens on the port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def connected_project(label_studio: LabelStudio, example: Example, backend_url: str) -> int:
    """The example's project with its sample data, made and connected unless it already is."""
    projects = {one["title"]: one["id"] for one in label_studio.call("GET", "/api/projects/")["results"]}
    project = projects.get(example.title)
    if project is None:
        project = label_studio.create_project(example.title, (example.folder / "label_config.xml").read_text())
        with tempfile.TemporaryDirectory() as name:
            tasks = samples(example, Path(name))
            label_studio.import_tasks(project, published(label_studio, project, tasks, Path(name)))
    connected = [one["url"] for one in label_studio.call("GET", f"/api/ml?project={project}")]
    if backend_url not in connected:
        label_studio.connect(project, backend_url, is_interactive=True)
    return int(project)


def main() -> None:
    """Start both, tell how to look, and end both on Ctrl-C."""
    parser = argparse.ArgumentParser(description="Label Studio and a machine-learning backend, connected.")
    parser.add_argument("example", nargs="?", default=DEFAULT, metavar="NAME", help=f"default {DEFAULT}")
    parser.add_argument("--port", type=int, default=9090, help="the backend's port")
    parser.add_argument("--label-studio-port", type=int, default=8080)
    options = parser.parse_args()
    try:
        example = find(options.example)
    except UsageError as error:
        sys.exit(str(error))
    for port, setting in ((options.port, "PORT"), (options.label_studio_port, "LABEL_STUDIO_PORT")):
        if is_taken(port):
            sys.exit(f"Port {port} is taken. Choose another one: make demo {setting}=…")

    DEMO.mkdir(exist_ok=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with contextlib.ExitStack() as ending:
        if not is_installed(VENV):
            print("Installing Label Studio (up to three minutes, only this time) …", flush=True)
            install(VENV)
        folder, log = DEMO / example.name, DEMO / f"{example.name}.log"
        server = Server(example, folder, options.port, log)
        ending.callback(server.stop)
        backend = server.process
        print("Starting Label Studio (about a minute) …", flush=True)
        label_studio = LabelStudioServer(
            VENV,
            DEMO / "label-studio",
            options.label_studio_port,
            DEMO / "label-studio.log",
        )
        ending.callback(label_studio.stop)
        label_studio.wait_ready()
        project = connected_project(label_studio.api, example, f"http://localhost:{options.port}")
        account = Account()
        print(
            f"\n  Label Studio   {label_studio.url}/projects/{project}/data"
            f"\n  user           {account.user}"
            f"\n  password       {account.password}"
            f"\n  backend        http://localhost:{options.port}"
            f"\n  logs           {DEMO.relative_to(ROOT)}/*.log"
            "\n\nOpen a task: its prediction is there."
            f"{' Label some: Settings > Model shows the next version.' if example.learns else ''}"
            "\nCtrl-C ends both.",
            flush=True,
        )
        wait_until(lambda: backend.exit_code is not None or label_studio.has_ended, float("inf"), "the end")
        sys.exit("One of the two ended by itself; see the logs.")


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main()
