"""The commands of our Dockerfiles, run where no container engine is: in a fresh virtual environment.

`COPY`, `RUN pip …`, `WORKDIR` and `CMD` are followed below a folder that stands for the image's `/`.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

import label_studio_ml
from scripts.processes import Process, free_port, wait_until
from tests.support import local_http
from tests.support.paths import REPOSITORY
from tests.support.servers import clean_environment

PACKAGE = ("LICENSE", "README.md", "label_studio_ml", "pyproject.toml")
EXAMPLE = REPOSITORY / "label_studio_ml" / "examples" / "simple_text_classifier"

pytestmark = [
    pytest.mark.timeout(1200),  # a fresh virtual environment downloads and unpacks several hundred MB,
    pytest.mark.xdist_group("docker_commands"),  # and one of them is enough
]


class Image:
    """What a Dockerfile makes of a folder, as far as it can be had without a container engine."""

    def __init__(self, context: Path, root: Path, venv: Path) -> None:
        self.context, self.root, self.venv = context, root, venv
        self.workdir = root
        self.command: list[str] = []
        self.environment: dict[str, str] = {}

    def build(self) -> None:
        """Follow the Dockerfile."""
        text = re.sub(r"(?m)^#.*\n", "", (self.context / "Dockerfile").read_text()).replace("\\\n", " ")
        for line in filter(None, map(str.strip, text.splitlines())):
            name, rest = line.split(maxsplit=1)
            if name == "WORKDIR":
                self.workdir = self.root / rest.lstrip("/")
                self.workdir.mkdir(parents=True, exist_ok=True)
            elif name == "COPY":
                self.copy(*[word for word in rest.split() if not word.startswith("--")])
            elif name == "RUN" and rest.startswith("pip "):
                subprocess.run([self.venv / "bin" / "python", "-m", *rest.split()], cwd=self.workdir, check=True)
            elif name == "ENV":
                self.environment |= dict(pair.split("=", 1) for pair in rest.split())
            elif name == "CMD":
                self.command = json.loads(rest)

    def copy(self, *names: str) -> None:
        """Copy as `COPY` does: files into the target folder, a folder's content into the target."""
        *sources, target = names
        for name in sources:
            source, destination = self.context / name, self.workdir / target
            if source.is_dir():
                ignore = shutil.ignore_patterns("__pycache__", "model-data")
                shutil.copytree(source, destination, dirs_exist_ok=True, ignore=ignore)
            else:
                shutil.copy(source, destination)

    def start(self, port: int) -> Process:
        """Run the command as the container would, with the port and the state of this test."""
        own = {"PORT": str(port), "MODEL_DIR": str(self.root / "data" / "models")}
        path = f"{self.venv / 'bin'}{os.pathsep}{os.environ['PATH']}"
        environment = clean_environment({**self.environment, **own, "PATH": path})
        return Process(self.command, cwd=self.workdir, env=environment, log_file=self.root / "server.log")


@pytest.fixture(scope="module")
def venv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh virtual environment with this checkout, which satisfies `label-studio-ml` in requirements."""
    folder = tmp_path_factory.mktemp("image")
    source = folder / "source"  # a copy: building a package leaves files beside its source
    source.mkdir()
    for name in PACKAGE:
        if (REPOSITORY / name).is_dir():
            shutil.copytree(REPOSITORY / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(REPOSITORY / name, source / name)
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
    subprocess.run([folder / "venv" / "bin" / "python", "-m", "pip", "install", "-q", source], check=True)
    return folder / "venv"


@pytest.fixture(params=["starter", "example", "repository"])
def image(request: pytest.FixtureRequest, tmp_path: Path, venv: Path) -> Image:
    backend, root = tmp_path / "backend", tmp_path / "root"
    root.mkdir()
    if request.param == "repository":
        return Image(REPOSITORY, root, venv)
    command: list[str | Path] = [venv / "bin" / "label-studio-ml", "init", backend]
    if request.param == "example":
        command += ["--script", EXAMPLE / "text_classifier.py"]
    subprocess.run(command, check=True)
    return Image(backend, root, venv)


def installed_version(venv: Path) -> str:
    code = "from importlib.metadata import version; print(version('label-studio-ml'))"
    return subprocess.check_output([venv / "bin" / "python", "-c", code], text=True).strip()


def test_the_image_installs_and_starts(image: Image) -> None:
    image.build()
    assert installed_version(image.venv) == label_studio_ml.__version__, "the checkout was replaced"
    port = free_port()
    server = image.start(port)

    def health() -> str | None:
        if server.exit_code is not None:
            raise RuntimeError(f"the server ended with {server.exit_code}:\n{server.log[-5000:]}")
        try:
            reply = local_http.get(f"http://127.0.0.1:{port}/health")
        except httpx.TransportError:
            return None
        return str(reply.json()["status"])

    try:
        assert wait_until(health, 60, "the server to be healthy") == "UP"
        assert server.stop() == 0  # the signal reached the server itself, not a shell around it
    finally:
        server.kill_family()


def test_the_installed_command_brings_its_templates(venv: Path, tmp_path: Path) -> None:
    command = venv / "bin" / "label-studio-ml"
    subprocess.run([command, "init", "backend"], cwd=tmp_path, check=True)
    environment = {name: value for name, value in clean_environment().items() if name != "PYTHONPATH"}
    found = subprocess.run(
        [command, "test", "backend", "--label-config", "text-classification"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert found.returncode == 0, found.stdout + found.stderr
    assert "labeling config: template text-classification" in found.stdout
