"""What a person reads when `label-studio-ml start` cannot work: one line that says why."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from scripts.processes import free_port, wait_until
from tests.support.paths import BACKENDS
from tests.support.servers import StartServer, run_command


def complaint(*arguments: str | Path, cwd: Path) -> str:
    """Start, expect failure, and return the one line on standard error."""
    run = run_command("start", *arguments, cwd=cwd)
    lines = run.stderr.strip().splitlines()
    assert run.returncode not in {0, None}
    assert len(lines) == 1, run.stderr
    return lines[0]


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("no/such/folder", ["no/such/folder"]),
        (BACKENDS / "no_class.py", ["no_class.py", "LabelStudioMLBase"]),
        (BACKENDS / "two_classes.py", ["First", "Second"]),
        (f"{BACKENDS / 'two_classes.py'}:Third", ["Third"]),
        (BACKENDS / "never_importing.py", ["a_package_that_nobody_installed"]),
    ],
    ids=["missing folder", "no class", "two classes", "no such class", "not importable"],
)
def test_a_source_that_cannot_be_served_is_explained_in_one_line(
    tmp_path: Path, source: str | Path, told: list[str]
) -> None:
    line = complaint(source, "--port", str(free_port()), cwd=tmp_path)

    for word in told:
        assert word in line


def test_one_of_two_classes_can_be_named(start_server: StartServer) -> None:
    server = start_server(f"{BACKENDS / 'two_classes.py'}:Second")

    with server.client() as client:
        wait_until(lambda: client.get("/health").json()["model_class"] == "Second", 30, "the second class to load")


def test_a_taken_port_is_explained_in_one_line(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])

        line = complaint(BACKENDS / "echo.py", "--host", "127.0.0.1", "--port", port, cwd=tmp_path)

    assert port in line


def test_a_setting_without_sense_is_explained_in_one_line(tmp_path: Path) -> None:
    line = complaint(BACKENDS / "echo.py", "--max-body-size", "much", cwd=tmp_path)

    assert "much" in line


def test_an_attribute_about_training_without_sense_is_explained_in_one_line(tmp_path: Path) -> None:
    script = tmp_path / "model.py"
    script.write_text(
        "from label_studio_ml.model import LabelStudioMLBase\n\n\n"
        "class Often(LabelStudioMLBase):\n    TRAIN_ON = 'sometimes'\n"
    )
    line = complaint(script, "--port", str(free_port()), cwd=tmp_path)

    assert "TRAIN_ON of Often must be `events`, `start` or `never`, not 'sometimes'." in line
