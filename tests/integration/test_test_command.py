"""`label-studio-ml test` as it is run by hand and in CI: what it prints, and how it ends."""

from __future__ import annotations

import json
import os
import shutil
import textwrap
from pathlib import Path

import pytest

import label_studio_ml
from label_studio_ml.scaffold.write import create
from tests.support import old_folders
from tests.support.servers import run_command

EXAMPLES = Path(label_studio_ml.__file__).parent / "examples"
BROKEN = """
    from label_studio_ml.model import LabelStudioMLBase

    print("imported")

    class Broken(LabelStudioMLBase):
        def predict(self, tasks, context=None, **kwargs):
            print("predicting")
            return [self.one(task) for task in tasks]

        def one(self, task):
            labels = {1: "Positive", 2: "Great"}
            value = {"choices": [labels[task["id"]]]}
            return {"result": [{"from_name": "sentiment", "to_name": "text", "type": "choices", "value": value}]}

        def fit(self, event, data, **kwargs):
            self.set("last", data["annotation"]["id"])
"""


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    folder = tmp_path / "broken"
    folder.mkdir()
    (folder / "model.py").write_text(textwrap.dedent(BROKEN))
    return folder


def test_a_new_folder_passes(tmp_path: Path) -> None:
    folder = create(tmp_path / "backend")
    found = run_command("test", "--strict", cwd=folder)
    assert found.returncode == 0, found.stdout + found.stderr
    lines = found.stdout.splitlines()
    assert lines[0] == "NewModel · generation 1 · labeling config: label_config.xml · 4 sample tasks"
    assert lines[2].startswith("✔  Import")
    assert lines[-1].startswith("14 checks: 14 passed, 0 failed · ")
    assert not [line for line in lines if line.endswith(" ")]
    assert found.stderr == ""
    assert not (folder / "model-data").exists(), "what it learned is gone"


@pytest.mark.parametrize(
    ("name", "config"),
    [("dummy_model", "CHOICES of test_api.py"), ("simple_text_classifier", "label_config.xml")],
)
def test_an_example_passes(name: str, config: str, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(EXAMPLES / name, tmp_path / name))
    arguments = ["--label-config", "text-classification"] if name == "dummy_model" else []
    found = run_command("test", folder, *arguments, cwd=tmp_path)
    assert found.returncode == 0, found.stdout + found.stderr
    assert ("template text-classification" if arguments else config) in found.stdout.splitlines()[0]
    assert "✔  New version" in found.stdout


def test_a_broken_model_is_explained_and_fails(broken: Path) -> None:
    found = run_command("test", "--label-config", "text-classification", "--tasks", "3", cwd=broken)
    assert found.returncode == 1
    text = found.stdout
    assert "✘  Predict" in text
    assert "✘ Predict: task 3: predict() raised KeyError: 3\n  model.py, line 13: value = " in text
    assert "✘ Valid: task 2: the prediction does not fit the labeling config" in text
    assert "✘ Start training: fit() failed: KeyError: 'annotation'" in text
    assert "  Fix: START_TRAINING brings no annotation" in text
    assert max(map(len, text.splitlines())) <= 100
    assert "imported" not in text
    assert "predicting" in found.stderr, "what the model prints is kept apart from the report"
    assert "Traceback" not in text + found.stderr


def test_json_says_the_same(broken: Path) -> None:
    found = run_command("test", "--label-config", "text-classification", "--tasks", "3", "--json", cwd=broken)
    assert found.returncode == 1
    report = json.loads(found.stdout)
    assert (report["ok"], report["model_class"], report["generation"], report["tasks"]) == (False, "Broken", 2, 3)
    by_name = {check["name"]: check for check in report["checks"]}
    assert by_name["Predict"]["outcome"] == "failed"
    (problem,) = by_name["Predict"]["problems"]
    assert (problem["task"], problem["where"].partition(":")[0]) == ("3", "model.py, line 13")
    assert problem["detail"].endswith("KeyError: 3")


@pytest.mark.parametrize("generation", [1, 2])
def test_folders_of_older_packages_pass_with_a_warning_that_they_show_nothing(
    generation: int, tmp_path: Path
) -> None:
    folder = old_folders.make(tmp_path / "old", generation)
    arguments = ["--label-config", "text-classification", "--json"]
    found = run_command("test", folder, *arguments, cwd=tmp_path)
    assert found.returncode == 0, found.stdout + found.stderr
    report = json.loads(found.stdout)
    checks = {check["name"]: check for check in report["checks"]}
    assert report["generation"] == generation
    assert [name for name, check in checks.items() if check["outcome"] == "warning"] == ["Predict"]
    assert checks["New version"]["outcome"] == "ok"
    assert checks["Predict after fit"]["summary"] == "4 of 4 tasks, 4 changed", "the score counts what was learned"
    strict = run_command("test", folder, *arguments, "--strict", cwd=tmp_path)
    assert (strict.returncode, json.loads(strict.stdout)["ok"]) == (1, False)


def test_a_script_can_be_tried_without_training(broken: Path) -> None:
    found = run_command(
        "test", "model.py:Broken", "--label-config", "text-classification", "--tasks", "1", "--no-fit", cwd=broken
    )
    assert found.returncode == 0, found.stdout
    assert "\N{EN DASH}  Fit              not asked for" in found.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["gone"], "There is no folder or script"),
        ([], "Which labeling config?"),
        (["--label-config", "object-detektion"], "Did you mean object-detection?"),
        (["--label-config", "gone.xml"], "There is no labeling config gone.xml"),
        (["--project", "1"], "set LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY"),
        (["--project", "1", "--label-config", "ocr"], "not both"),
        (["--label-config", "ocr", "--with", "threshold"], "not key=value"),
        (["--label-config", "ocr", "--tasks", "0"], "--tasks"),
    ],
)
def test_what_makes_no_sense_is_said_with_another_status(arguments: list[str], says: str, broken: Path) -> None:
    found = run_command("test", *arguments, cwd=broken)
    assert found.returncode == 2, found.stdout
    assert says in " ".join(found.stderr.split())
    assert found.stdout == ""


def test_a_label_studio_that_is_not_there_is_named(broken: Path) -> None:
    address = {"LABEL_STUDIO_URL": "http://127.0.0.1:9", "LABEL_STUDIO_API_KEY": "0" * 40}
    found = run_command("test", "--project", "1", cwd=broken, env=address)
    assert found.returncode == 1
    assert "Label Studio did not give project 1" in found.stderr
    assert len(found.stderr.splitlines()) == 1


def test_arguments_reach_the_class(tmp_path: Path) -> None:
    folder = old_folders.make(tmp_path / "old", 1)
    found = run_command(
        "test", folder, "--label-config", "ocr", "--with", "threshold=0.25", "width=3", cwd=tmp_path
    )
    assert found.returncode == 0, found.stdout + found.stderr


def test_a_model_that_ends_the_process_does_not_pass(tmp_path: Path) -> None:
    script = tmp_path / "model.py"
    script.write_text(textwrap.dedent(BROKEN).replace('print("predicting")', "raise SystemExit(0)"))
    found = run_command("test", script, "--label-config", "text-classification", cwd=tmp_path)
    assert found.returncode == 1
    assert "predict() raised SystemExit: 0" in found.stdout


def test_a_terminal_that_knows_only_ascii_gets_that(broken: Path) -> None:
    found = run_command(
        "test", "--label-config", "text-classification", cwd=broken, env={"PYTHONIOENCODING": "ascii"}
    )
    assert found.returncode == 1
    assert found.stdout.isascii()
    assert "FAIL  Predict" in found.stdout


def test_a_narrow_terminal_gets_colours_and_no_broken_table(tmp_path: Path) -> None:
    folder = create(tmp_path / "backend")
    found = run_command("test", folder, cwd=tmp_path, env={"FORCE_COLOR": "1", "COLUMNS": "60", "TERM": "xterm"})
    assert found.returncode == 0
    assert "\x1b[32m✔" in found.stdout
    assert os.linesep in found.stdout
