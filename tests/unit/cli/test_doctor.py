"""The command `label-studio-ml doctor`: exit status, what people read, what it refuses."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from label_studio_ml.cli.main import app
from label_studio_ml.errors import SourceError, UsageError
from scripts.processes import free_port
from tests.support.doctor_findings import look
from tests.support.in_process_backend import CONFIG
from tests.support.played_backend import Pretend, serving

pytestmark = pytest.mark.usefixtures("no_settings_from_outside")


def command(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["doctor", *map(str, arguments)], env={"COLUMNS": "80"})


def test_the_exit_status_tells_how_bad_it_is(tmp_path: Path) -> None:
    (tmp_path / "config.xml").write_text(CONFIG)
    given = ("--label-config", tmp_path / "config.xml", "--json")
    with serving(Pretend(answers={"/versions": lambda _: {"versions": []}})) as backend:
        warned = command(backend.url, *given)
    assert warned.exit_code == 0
    said = json.loads(warned.output)
    assert said["status"] == "warning"
    assert {"about", "check", "status", "what", "fix"} == set(said["findings"][0])
    failed = command(backend.url, *given)
    assert (failed.exit_code, json.loads(failed.output)["status"]) == (1, "problem")


def test_what_people_read_fits_the_terminal_and_loses_nothing() -> None:
    done = command(f"http://127.0.0.1:{free_port()}")
    assert done.exit_code == 1
    lines = done.output.splitlines()
    assert lines[0].startswith("The backend at http://127.0.0.1:")
    assert lines[-1] == "1 problem."
    assert max(map(len, lines)) <= 80
    assert "→ Start the backend, and check the port." in done.output


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("localhost:9090", "write http://localhost:9090"),
        ("ftp://localhost", "must begin with http:// or https://"),
    ],
)
def test_an_address_without_its_beginning_is_told_how_to_write_it(target: str, said: str) -> None:
    done = command(target)
    assert isinstance(done.exception, UsageError)
    assert said in str(done.exception)


def test_a_folder_whose_server_does_not_run_is_told_how_to_start_it(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text("raise RuntimeError('this command does not import it')\n")
    done = command(tmp_path)
    assert isinstance(done.exception, UsageError)
    assert f"label-studio-ml start {tmp_path}" in str(done.exception)
    assert isinstance(command(tmp_path / "nowhere").exception, SourceError)


def test_the_labeling_config_beside_the_model_is_used_and_a_broken_one_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text("")
    (tmp_path / "label_config.xml").write_text(CONFIG)
    (tmp_path / "model-data").mkdir()
    with serving(Pretend()) as backend:
        said = {"url": backend.url, "pid": os.getpid()}
        (tmp_path / "model-data" / "server.json").write_text(json.dumps(said))
        command(tmp_path)
        schemas = {body["schema"] for _, path, body in backend.calls if path == "/setup"}
        assert schemas == {CONFIG}
        (tmp_path / "label_config.xml").write_text("<View><Choices")
        assert "labeling config is not understood" in str(command(tmp_path).exception)
        assert "cannot be read" in str(command(backend.url, "--label-config", tmp_path / "none.xml").exception)


def test_a_project_without_label_studios_address_is_refused() -> None:
    done = command("http://127.0.0.1:1", "--project", "3")
    assert "--label-studio-url" in str(done.exception)


def test_no_thread_is_left_behind() -> None:
    before = threading.active_count()
    with serving(Pretend()) as backend:
        look(backend.url)
    assert threading.active_count() == before
