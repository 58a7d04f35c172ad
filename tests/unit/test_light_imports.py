"""What the command and the web process import: little, so that a server is up at once and stays small."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ["PIL", "label_studio_ml.model", "label_studio_sdk", "lxml", "numpy", "pandas", "pydantic", "requests"]


def loaded_by(code: str, cwd: Path) -> set[str]:
    """The modules that a fresh process has loaded after running some code."""
    script = f"{code}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    said = subprocess.run([sys.executable, "-c", script], cwd=cwd, capture_output=True, text=True, check=True)
    return set(json.loads(said.stdout.splitlines()[-1]))


@pytest.mark.parametrize(
    "code",
    [
        "import label_studio_ml.cli.main",
        "import label_studio_ml.server.app",
        "import label_studio_ml.server.serve",
        "import label_studio_ml.server.wsgi",
        "import label_studio_ml.cli.main, label_studio_ml.server.app, label_studio_ml.server.serve",
        "import label_studio_ml.api",
        "import label_studio_ml.utils",
        "import label_studio_ml.server",
        "import label_studio_ml.regions",
    ],
)
def test_what_the_web_process_imports_is_light(code: str, tmp_path: Path) -> None:
    assert sorted(loaded_by(code, tmp_path) & set(HEAVY)) == []


def test_a_server_for_a_script_runs_without_the_authors_code(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text("raise RuntimeError('imported in the web process')")
    code = """
import asyncio, os
from label_studio_ml import settings
from label_studio_ml.author import source
from label_studio_ml.server.app import running_app
async def main():
    running = running_app(settings.load({}, model_dir='state'), source.locate('.'), {})
    assert os.listdir() == ['model.py'], 'nothing is opened yet'
    async with running:
        assert os.path.isdir('state')
asyncio.run(main())
"""
    loaded = loaded_by(code, tmp_path)
    assert sorted(loaded & {*HEAVY, "model"}) == []


@pytest.mark.parametrize(
    "module",
    ["label_studio_ml", "label_studio_ml.settings", "label_studio_ml.errors", "label_studio_ml.wire.requests"],
)
def test_importing_settings_starts_nothing(module: str, tmp_path: Path) -> None:
    code = f"""
import threading, logging
before = len(logging.root.handlers)
import {module}
assert threading.active_count() == 1
assert len(logging.root.handlers) == before
"""
    loaded = loaded_by(code, tmp_path)
    assert sorted(loaded & {*HEAVY, "sqlalchemy", "starlette", "uvicorn", "typer", "rich"}) == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("module", ["label_studio_ml.model", "label_studio_ml.api", "label_studio_ml.server.serve"])
def test_importing_starts_no_thread_and_touches_no_log(module: str, tmp_path: Path) -> None:
    code = f"""
import threading, logging
import {module}
assert threading.active_count() == 1, threading.enumerate()
assert logging.root.handlers == []
"""
    loaded_by(code, tmp_path)
    assert list(tmp_path.iterdir()) == []
