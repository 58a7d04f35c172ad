"""Backend folders that `init` writes: what is in them, and what is never overwritten."""

from __future__ import annotations

from pathlib import Path

import pytest

from label_studio_ml.errors import SourceError, UsageError
from label_studio_ml.scaffold.scan import candidate_classes, choose_class, split_spec
from label_studio_ml.scaffold.write import FILES, create

WRITTEN = {
    ".dockerignore",
    "Dockerfile",
    "README.md",
    "_wsgi.py",
    "docker-compose.yml",
    "label_config.xml",
    "model.py",
    "requirements.txt",
    "test_api.py",
}
SCRIPT = """
import a_package_that_is_not_installed
from label_studio_ml.model import LabelStudioMLBase

class Reader(LabelStudioMLBase):
    pass
"""


def script(folder: Path, text: str = SCRIPT, name: str = "reader.py") -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("text", "classes"),
    [
        ("class A(LabelStudioMLBase): ...", ["A"]),
        ("class A(label_studio_ml.model.LabelStudioMLBase): ...", ["A"]),
        ("class A(LabelStudioMLBaseHelper): ...", ["A"]),
        ("class A(LabelStudioMLChoices): ...", ["A"]),
        ("class A(Generic[T], LabelStudioMLBase): ...", ["A"]),
        ("from label_studio_ml.model import LabelStudioMLBase as Base\nclass A(Base): ...", ["A"]),
        ("try:\n  import x\nexcept E:\n  pass\nelse:\n  class A(LabelStudioMLBase): ...", ["A"]),
        ("if x:\n  class A(LabelStudioMLBase): ...\nelse:\n  class A(LabelStudioMLBase): ...", ["A"]),
        ("class A(LabelStudioMLBase): ...\nclass B(A): ...\nclass C(B): ...", ["C"]),
        ("class A(LabelStudioMLBase): ...\nclass B(LabelStudioMLBase): ...", ["A", "B"]),
        ("class A(B): ...\nclass B(A): ...", []),
        ("class A(call()): ...\nclass B: ...", []),
        ("def f():\n  class A(LabelStudioMLBase): ...", []),
    ],
)
def test_model_classes_are_found_without_importing(tmp_path: Path, text: str, classes: list[str]) -> None:
    assert candidate_classes(script(tmp_path, text)) == classes


def test_a_class_can_be_named_behind_a_colon() -> None:
    assert split_spec("a/b.py:C") == (Path("a/b.py"), "C")
    assert split_spec("a/b.py") == (Path("a/b.py"), None)
    assert split_spec(r"c:\b.py") == (Path(r"c:\b.py"), None)


@pytest.mark.parametrize("text", ["class C(Other): ...", "from other import C", "import x as C", "C = make()"])
def test_a_named_class_may_come_from_anywhere(tmp_path: Path, text: str) -> None:
    assert choose_class(script(tmp_path, text), "C") == "C"


def test_two_model_classes_are_both_named_with_the_way_out(tmp_path: Path) -> None:
    path = script(tmp_path, "class A(LabelStudioMLBase): ...\nclass B(LabelStudioMLBase): ...")
    with pytest.raises(SourceError, match=r"2 model classes, A and B; .* --script .*reader\.py:A$"):
        choose_class(path)
    assert choose_class(path, "B") == "B"


@pytest.mark.parametrize(
    ("text", "name", "says"),
    [
        ("class A: ...", None, "No class in .* inherits from LabelStudioMLBase"),
        ("class A: ...", "B", "There is no class B in"),
        ("x = 1\nclass (:", None, r"not valid Python, line 2: "),
        ("x = '\0'", None, "not valid Python"),
    ],
)
def test_an_unusable_script_is_refused_in_one_line(tmp_path: Path, text: str, name: str | None, says: str) -> None:
    with pytest.raises(SourceError, match=says) as caught:
        choose_class(script(tmp_path, text), name)
    assert "\n" not in str(caught.value)


def test_a_missing_script_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"There is no script .*gone\.py"):
        choose_class(tmp_path / "gone.py")
    with pytest.raises(SourceError, match="is a folder"):
        choose_class(tmp_path)


def test_without_a_script_the_starter_is_written(tmp_path: Path) -> None:
    folder = create(tmp_path / "deep" / "backend")
    assert {path.name for path in folder.iterdir()} == WRITTEN
    assert candidate_classes(folder / "model.py") == ["NewModel"]
    assert (folder / "requirements.txt").read_text().splitlines()[-1] == "label-studio-ml"
    for name in WRITTEN:
        assert (folder / name).read_text() == (FILES / name).read_text()


def test_a_script_is_copied_under_its_own_name(tmp_path: Path) -> None:
    folder = create(tmp_path / "backend", script(tmp_path / "mine"))
    assert {path.name for path in folder.iterdir()} == WRITTEN - {"model.py"} | {"reader.py"}
    assert (folder / "reader.py").read_text() == SCRIPT
    for name, use in {"_wsgi.py": "init_app(model_class=Reader)", "test_api.py": "check_backend(Reader)"}.items():
        text = (folder / name).read_text()
        assert "from reader import Reader\n" in text
        assert use in text
    for path in folder.iterdir():
        assert "NewModel" not in path.read_text()
    assert "`reader.py` holds the class `Reader`" in (folder / "README.md").read_text()


def test_requirements_readme_and_labeling_config_beside_the_script_come_along(tmp_path: Path) -> None:
    source = script(tmp_path / "mine")
    (source.parent / "label_config.xml").write_text("<View/>")
    (source.parent / "README.md").write_text("my reader")
    (source.parent / "requirements.txt").write_text("torch")
    (source.parent / "secret.env").write_text("x")
    folder = create(tmp_path / "backend", source)
    assert (folder / "README.md").read_text() == "my reader"
    assert (folder / "label_config.xml").read_text() == "<View/>"
    assert (folder / "requirements.txt").read_text() == "torch\nlabel-studio-ml\n"
    assert not (folder / "secret.env").exists()


@pytest.mark.parametrize("line", ["label-studio-ml==1.0.9", "label_studio_ml", "  Label-Studio-ML[x]>=1"])
def test_a_requirement_for_this_package_is_left_as_it_is(tmp_path: Path, line: str) -> None:
    source = script(tmp_path / "mine")
    (source.parent / "requirements.txt").write_text(line + "\n")
    assert (create(tmp_path / "backend", source) / "requirements.txt").read_text() == line + "\n"


def test_a_folder_with_content_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("mine")
    with pytest.raises(UsageError, match=r"is not empty.*--force"):
        create(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["note.txt"]
    with pytest.raises(UsageError, match="is a file"):
        create(tmp_path / "note.txt", force=True)


def test_an_empty_folder_needs_no_force(tmp_path: Path) -> None:
    assert (create(tmp_path) / "model.py").exists()


def test_force_overwrites_our_files_and_keeps_others(tmp_path: Path) -> None:
    folder = create(tmp_path / "backend")
    (folder / "model-data").mkdir()
    (folder / "model-data" / "learned").write_text("much")
    (folder / "helper.py").write_text("mine")
    (folder / "Dockerfile").write_text("old")
    create(folder, script(tmp_path / "mine"), force=True)
    assert (folder / "model-data" / "learned").read_text() == "much"
    assert (folder / "helper.py").read_text() == "mine"
    assert (folder / "Dockerfile").read_text() == (FILES / "Dockerfile").read_text()


def test_a_folder_can_be_made_around_the_script_it_already_holds(tmp_path: Path) -> None:
    source = script(tmp_path / "backend")
    create(source.parent, source, force=True)
    assert source.read_text() == SCRIPT
    assert (source.parent / "_wsgi.py").exists()


def test_nothing_is_written_for_a_script_that_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(SourceError):
        create(tmp_path / "backend", tmp_path / "gone.py")
    assert not (tmp_path / "backend").exists()


@pytest.mark.parametrize("name", ["my-model.py", "1.py", "model.txt"])
def test_a_script_that_cannot_be_imported_by_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(SourceError, match="rename it"):
        create(tmp_path / "backend", script(tmp_path / "mine", name=name))


@pytest.mark.parametrize("name", ["_wsgi.py", "test_api.py"])
def test_a_script_with_the_name_of_one_of_our_files_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(SourceError, match="rename the script"):
        create(tmp_path / "backend", script(tmp_path / "mine", name=name))


def test_a_script_may_be_called_like_the_starter(tmp_path: Path) -> None:
    folder = create(tmp_path / "backend", script(tmp_path / "mine", name="model.py"))
    assert (folder / "model.py").read_text() == SCRIPT
