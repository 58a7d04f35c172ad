"""The catalogue of examples, folders made of them, and what is said about them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from label_studio_sdk.label_interface import LabelInterface
from PIL import Image
from typer.testing import CliRunner

from label_studio_ml.cli.examples import examples_command
from label_studio_ml.cli.init import init_command
from label_studio_ml.errors import UsageError
from label_studio_ml.scaffold import examples
from label_studio_ml.scaffold.examples import Example
from label_studio_ml.scaffold.write import create_from_example
from scripts.gallery import PAGE, PICTURE, page

EVERY = examples.catalogue()
SHOWN = [one for one in EVERY if (one.folder / "sample_data.py").exists()]
LINES_OF_A_TEMPLATE = 200
"""More cannot be read from top to bottom by somebody who wants to start."""


def run(command: object, *arguments: str) -> str:
    app = typer.Typer()
    app.command()(command)  # type: ignore[type-var]
    result = CliRunner().invoke(app, arguments, env={"COLUMNS": "200"})
    if result.exception is not None:
        raise result.exception
    return result.output


def test_every_folder_of_examples_is_in_the_catalogue() -> None:
    folders = {path.name for path in examples.FOLDER.iterdir() if (path / "README.md").exists()}
    assert folders == {one.name for one in EVERY}


@pytest.mark.parametrize("example", SHOWN, ids=lambda one: one.name)
def test_an_example_is_whole(example: Example) -> None:
    readme = (example.folder / "README.md").read_text()
    assert f"]({PICTURE})" in readme
    with Image.open(example.folder / PICTURE) as picture:
        assert picture.width >= 800
    assert f"--example {example.name}" in readme
    assert example.single, "its speed was measured"
    assert (example.folder / "requirements.txt").read_text().startswith("label-studio-ml")
    LabelInterface((example.folder / "label_config.xml").read_text()).validate()
    assert len((example.folder / example.script).read_text().splitlines()) <= LINES_OF_A_TEMPLATE


@pytest.mark.parametrize("example", EVERY, ids=lambda one: one.name)
def test_a_folder_made_of_an_example_holds_all_of_it_and_can_be_built(example: Example, tmp_path: Path) -> None:
    folder = create_from_example(tmp_path / "backend", example)
    names = {path.name for path in example.folder.iterdir() if path.is_file()} - {"example.json"}
    assert names <= {path.name for path in folder.iterdir()}
    dockerfile = (folder / "Dockerfile").read_text()
    for name in names:
        if name.startswith("requirements") and "samples" not in name:
            assert name in dockerfile
    assert f"from {Path(example.script).stem} import" in (folder / "_wsgi.py").read_text()


def test_the_gallery_page_is_up_to_date() -> None:
    assert PAGE.read_text() == page(), "run: python -m scripts.gallery --page"


def test_the_command_lists_them_for_people_and_for_programs() -> None:
    text = run(examples_command)
    known = {one["name"]: one for one in json.loads(run(examples_command, "--json"))}
    for example in EVERY:
        assert example.name in text
        assert known[example.name]["learns"] is example.learns


def test_init_takes_an_example_and_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    out = run(init_command, "my_backend", "--example", "simple_text_classifier")
    assert "pip install -r my_backend/requirements.txt\n    label-studio-ml start my_backend\n" in out
    assert "SimpleTextClassifier" in Path("my_backend/text_classifier.py").read_text()
    with pytest.raises(UsageError, match="exclude each other"):
        run(init_command, "other", "--example", "simple_text_classifier", "--script", "a.py")


def test_a_misspelt_example_is_answered_with_the_likely_one() -> None:
    with pytest.raises(UsageError, match="Did you mean simple_text_classifier"):
        examples.find("simple_text_clasifier")
    with pytest.raises(UsageError, match=r"There are .*dummy_model, "):
        examples.find("x")
