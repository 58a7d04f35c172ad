"""What the files for containers promise, read from the files; tests/integration runs their commands."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

import pytest
import yaml

from label_studio_ml.scaffold.write import FILES
from label_studio_ml.settings import Settings, load
from tests.support.missing import missing
from tests.support.paths import REPOSITORY

FOLDERS = pytest.mark.parametrize("folder", [REPOSITORY, FILES], ids=["repository", "scaffold"])


def installed(command: str) -> str | None:
    """Where a command is, the scripts of this virtual environment included."""
    return shutil.which(command, path=sysconfig.get_path("scripts") + os.pathsep + os.environ.get("PATH", ""))


def instructions(folder: Path) -> list[tuple[str, str]]:
    """(name, arguments) of each instruction of a Dockerfile."""
    text = re.sub(r"(?m)^#.*\n", "", (folder / "Dockerfile").read_text()).replace("\\\n", " ")
    return [(line.split()[0], line.split(maxsplit=1)[1]) for line in text.splitlines() if line.strip()]


def arguments(folder: Path, name: str) -> list[str]:
    return [rest for found, rest in instructions(folder) if found == name]


def service(folder: Path) -> dict[str, Any]:
    services = yaml.safe_load((folder / "docker-compose.yml").read_text())["services"]
    (found,) = services.values()
    assert isinstance(found, dict)
    return found


@FOLDERS
def test_the_image_is_slim_and_runs_as_an_ordinary_user(folder: Path) -> None:
    assert arguments(folder, "FROM") == ["python:3.12-slim"]
    assert arguments(folder, "USER") == ["1000"]
    names = [name for name, _ in instructions(folder)]
    assert names.index("USER") > max(index for index, name in enumerate(names) if name in {"RUN", "COPY"})
    assert "chown -R 1000:1000 /data" in arguments(folder, "RUN")[0]


@FOLDERS
def test_the_image_tells_its_health(folder: Path) -> None:
    (check,) = arguments(folder, "HEALTHCHECK")
    command = json.loads(check.split(" CMD ", 1)[1])
    assert command[:2] == ["python", "-c"]
    assert "/health" in command[2]
    compile(command[2], "healthcheck", "exec")


@FOLDERS
def test_the_server_is_the_process_that_gets_signals(folder: Path) -> None:
    (command,) = arguments(folder, "CMD")
    shell, option, line = json.loads(command)
    assert (shell, option) == ("sh", "-c")
    assert line.startswith("exec label-studio-ml start ")
    assert line.endswith(' --host 0.0.0.0 --port "${PORT}"')


@FOLDERS
def test_port_and_state_are_where_the_compose_file_expects_them(folder: Path) -> None:
    environment = dict(pair.split("=", 1) for pair in arguments(folder, "ENV")[0].split())
    assert arguments(folder, "EXPOSE") == [environment["PORT"]] == [str(Settings().port)]
    (volume,) = arguments(folder, "VOLUME")
    assert environment["MODEL_DIR"] == f"{volume}/models"
    assert service(folder)["ports"] == ["9090:9090"]
    assert service(folder)["volumes"] == [f"data:{volume}"]
    assert service(folder)["restart"] == "unless-stopped"


@FOLDERS
def test_every_variable_of_the_compose_file_is_a_setting_and_may_be_empty(folder: Path) -> None:
    environment = service(folder)["environment"]
    assert set(environment) == {
        "LABEL_STUDIO_URL",
        "LABEL_STUDIO_API_KEY",
        "BASIC_AUTH_USER",
        "BASIC_AUTH_PASS",
        "LOG_LEVEL",
        "WORKERS",
        "THREADS",
    }
    defaults = {}
    for name, value in environment.items():
        found = re.fullmatch(r"\$\{" + name + r":-(.*)\}", value)
        assert found is not None
        defaults[name] = found[1]
    known = {name for field in Settings.__dataclass_fields__.values() for name in field.metadata["env"]}
    assert set(environment) <= known
    assert load(defaults) == load({})


def test_the_repository_has_the_compose_file_of_a_backend_folder() -> None:
    assert (REPOSITORY / "docker-compose.yml").read_text() == (FILES / "docker-compose.yml").read_text()


def test_the_image_of_the_repository_gets_what_it_copies() -> None:
    allowed = {line[1:] for line in (REPOSITORY / ".dockerignore").read_text().splitlines() if line[:1] == "!"}
    for line in arguments(REPOSITORY, "COPY"):
        *sources, _target = [word for word in line.split() if not word.startswith("--")]
        for source in sources:
            assert (REPOSITORY / source).exists()
            assert source.split("/")[0] in allowed


def test_secrets_and_state_stay_out_of_the_image() -> None:
    ignored = (FILES / ".dockerignore").read_text().splitlines()
    assert {".env", ".git", "model-data"} <= set(ignored)


@FOLDERS
def test_docker_compose_accepts_the_file(folder: Path) -> None:
    compose = installed("docker-compose") or missing("docker-compose", "docker-compose")
    found = subprocess.run(
        [compose, "-f", str(folder / "docker-compose.yml"), "config", "--quiet"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stderr


@FOLDERS
@pytest.mark.skipif(installed("hadolint") is None, reason="hadolint is not installed")
def test_hadolint_finds_nothing(folder: Path) -> None:
    found = subprocess.run(
        [str(installed("hadolint")), str(folder / "Dockerfile")], capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stdout
