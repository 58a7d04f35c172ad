"""When the model is loaded: at the start (`--preload`), and again when its files change (`--reload`)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from scripts.processes import free_port, wait_until
from tests.support.servers import StartServer, run_command

CONFIG = '<View><Text name="t" value="$text"/><Choices name="c" toName="t"><Choice value="a"/></Choices></View>'
CODE = """
import os
from pathlib import Path
from label_studio_ml.model import LabelStudioMLBase

class Scored(LabelStudioMLBase):
    def setup(self):
        with (Path(__file__).parent / "made.txt").open("a") as file:
            file.write(f"{self.project_id or '-'} {self.label_config!r}\\n")

    def predict(self, tasks, **kwargs):
        return [{"result": [], "score": SCORE} for _ in tasks]

    def fit(self, event, data, **kwargs):
        return {"score": SCORE}
"""


def write(folder: Path, score: str) -> Path:
    """The backend's code, with predictions of that score."""
    path = folder / "model.py"
    path.write_text(CODE.replace("SCORE", score))
    return path


def score(client: httpx.Client) -> Any:
    reply = client.post("/predict", json={"tasks": [{"id": 1, "data": {"text": "x"}}], "label_config": CONFIG})
    assert reply.status_code == 200, reply.text
    return reply.json()["results"][0]["score"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "backend"
    made.mkdir()
    return made


def test_changed_code_is_taken_over_and_code_that_fails_is_not(start_server: StartServer, folder: Path) -> None:
    write(folder, "0.25")
    server = start_server(folder, "--reload", "--workers", "2")
    with server.client() as client:
        assert score(client) == 0.25

        write(folder, "0.5")
        wait_until(lambda: score(client) == 0.5, 60, "predictions of the new code")

        (folder / "model.py").write_text("import no_such_module\n")
        wait_until(lambda: "the code before it stays in use" in server.log, 60, "word of the failure")
        assert "no_such_module" in server.log
        assert score(client) == 0.5
        assert client.get("/health").json()["model"]["state"] == "ready"

        write(folder, "0.75")
        wait_until(lambda: score(client) == 0.75, 60, "predictions of the code that works again")

        event = {"action": "START_TRAINING", "project": {"id": 1, "label_config": CONFIG}}
        job = {"job": client.post("/webhook", json=event).json()["job"]}
        wait_until(
            lambda: client.post("/job_status", json=job).json()["job_status"] == "finished", 60, "the training"
        )


def test_code_that_fails_at_the_start_is_loaded_once_it_works(start_server: StartServer, folder: Path) -> None:
    (folder / "model.py").write_text("import no_such_module\n")
    server = start_server(folder, "--reload")
    wait_until(lambda: "It is loaded again when a file changes" in server.log, 60, "word of the failure")
    write(folder, "0.5")
    with server.client() as client:
        wait_until(lambda: client.get("/health").json()["model"]["state"] == "ready", 60, "the model to be ready")
        assert score(client) == 0.5


def test_every_worker_has_loaded_the_model_before_it_counts_as_ready(
    start_server: StartServer, folder: Path, tmp_path: Path
) -> None:
    write(folder, "0.5")
    config = tmp_path / "config.xml"
    config.write_text(CONFIG)
    server = start_server(folder, "--preload", str(config), "--workers", "2")
    with server.client() as client:
        wait_until(lambda: client.get("/health").json()["model"]["state"] == "ready", 60, "the model to be ready")
        wait_until(lambda: len((folder / "made.txt").read_text().splitlines()) == 2, 60, "two workers to load it")
    assert (folder / "made.txt").read_text() == f"- {CONFIG!r}\n" * 2


def test_a_file_to_preload_that_is_no_labeling_config_is_refused(folder: Path, tmp_path: Path) -> None:
    write(folder, "0.5")
    wrong = tmp_path / "config.xml"
    wrong.write_text("<View>")
    for path, told in ((wrong, "is not a labeling config"), (tmp_path / "missing.xml", "--preload: cannot read")):
        ended = run_command("start", folder, "--port", str(free_port()), "--preload", path, cwd=tmp_path)
        assert ended.returncode not in {0, None}
        assert told in ended.stderr
        assert len(ended.stderr.strip().splitlines()) == 1
