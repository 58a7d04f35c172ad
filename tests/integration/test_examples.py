"""Examples and written folders stand alone: their own tests pass where a user runs them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import label_studio_ml
from label_studio_ml.scaffold.write import create
from tests.support.servers import clean_environment

EXAMPLES = Path(label_studio_ml.__file__).parent / "examples"
SCRIPTS = {"dummy_model": "dummy_model.py", "simple_text_classifier": "text_classifier.py"}


def run_own_tests(folder: Path) -> None:
    found = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_api.py"],
        cwd=folder,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert found.returncode == 0, found.stdout + found.stderr
    assert "passed" in found.stdout


@pytest.mark.parametrize("name", SCRIPTS)
def test_an_example_passes_its_own_tests(name: str, tmp_path: Path) -> None:
    run_own_tests(Path(shutil.copytree(EXAMPLES / name, tmp_path / name)))


def test_a_new_folder_passes_its_own_tests(tmp_path: Path) -> None:
    run_own_tests(create(tmp_path / "backend"))


@pytest.mark.parametrize(("name", "script"), SCRIPTS.items())
def test_a_folder_made_from_an_example_passes_its_own_tests(name: str, script: str, tmp_path: Path) -> None:
    run_own_tests(create(tmp_path / "backend", EXAMPLES / name / script))
