"""`label-studio-ml init`: where the folder is made and what the command says."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from label_studio_ml.cli.init import init_command
from label_studio_ml.errors import UsageError

SCRIPT = "class Reader(LabelStudioMLBase): ...\nclass Writer(LabelStudioMLBase): ...\n"


def run(*arguments: str) -> str:
    app = typer.Typer()
    app.command()(init_command)
    result = CliRunner().invoke(app, arguments)
    if result.exception is not None:
        raise result.exception
    return result.output


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_folder_is_made_and_the_next_step_named() -> None:
    assert "label-studio-ml start my_backend\n" in run("my_backend")
    assert "from model import NewModel" in Path("my_backend/_wsgi.py").read_text()


@pytest.mark.parametrize("option", ["--script", "--from"])
def test_a_script_is_relative_to_the_current_folder_and_the_backend_to_the_root_dir(option: str) -> None:
    Path("reader.py").write_text(SCRIPT)
    out = run("my_backend", option, "reader.py:Writer", "--root-dir", "backends")
    assert "label-studio-ml start backends/my_backend\n" in out
    assert "from reader import Writer" in Path("backends/my_backend/_wsgi.py").read_text()


def test_nothing_is_overwritten_without_force() -> None:
    run("my_backend")
    Path("my_backend/model.py").write_text("mine")
    with pytest.raises(UsageError, match="--force"):
        run("my_backend")
    assert Path("my_backend/model.py").read_text() == "mine"
    run("my_backend", "--force")
    assert "NewModel" in Path("my_backend/model.py").read_text()
