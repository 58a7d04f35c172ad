"""From what a person names on the command line to the author's class."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from label_studio_ml.author import loading, source
from label_studio_ml.errors import LoadError, SourceError
from label_studio_ml.model import LabelStudioMLBase
from label_studio_ml.processes.messages import Source
from tests.support import old_folders

ONE = "from label_studio_ml.model import LabelStudioMLBase\nclass One(LabelStudioMLBase): ...\n"
TWO = ONE + "class Two(LabelStudioMLBase): ...\n"


@pytest.fixture(autouse=True)
def _imports_end_with_the_test(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(sys, "path", [*sys.path])
    for name in ("_wsgi", "model", "script", "other"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    # Old folders configure logging when they are imported, and switch off every logger there is.
    handlers, level = [*logging.root.handlers], logging.root.level
    known = [logger for logger in logging.root.manager.loggerDict.values() if isinstance(logger, logging.Logger)]
    disabled = [(logger, logger.disabled) for logger in known]
    yield
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)
    for logger, value in disabled:
        logger.disabled = value
    for name in ("_wsgi", "model", "script", "other"):
        sys.modules.pop(name, None)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name}.py").write_text(textwrap.dedent(text))
    return folder


def found(target: Path | str) -> tuple[str, dict[str, Any]]:
    model_class, kwargs = loading.load(source.locate(str(target)))
    return model_class.__name__, kwargs


# --- folders of older packages ------------------------------------------------------------------------


@pytest.mark.parametrize(("generation", "name"), [(1, "OldModel"), (2, "NewModel")])
def test_a_folder_of_an_older_package_is_understood(generation: int, name: str, tmp_path: Path) -> None:
    folder = old_folders.make(tmp_path / "backend", generation)
    assert source.locate(str(folder)) == Source(str(folder / "_wsgi.py"))
    assert found(folder) == (name, {})


@pytest.mark.parametrize("generation", [1, 2])
def test_config_json_of_a_folder_holds_arguments(generation: int, tmp_path: Path) -> None:
    folder = old_folders.make(tmp_path / "backend", generation)
    (folder / "config.json").write_text(json.dumps({"threshold": 0.25, "labels": ["a"]}))
    assert found(folder)[1] == {"threshold": 0.25, "labels": ["a"]}


def test_arguments_in_wsgi_go_before_config_json(folder: Path) -> None:
    write(
        folder,
        model=ONE,
        _wsgi="""
            from label_studio_ml.api import init_app
            from model import One
            application = init_app(One, model_dir="somewhere", threshold=1, redis_host="localhost")
        """,
    )
    (folder / "config.json").write_text('{"threshold": 0.25, "size": 3}')
    assert found(folder) == ("One", {"threshold": 1, "size": 3})


def test_a_wsgi_that_names_one_of_several_classes_decides(folder: Path) -> None:
    write(
        folder,
        model=TWO,
        _wsgi="from label_studio_ml.api import init_app\nfrom model import *\napp = init_app(Two)",
    )
    assert found(folder)[0] == "Two"


def test_loading_looks_for_the_class_and_starts_nothing(tmp_path: Path) -> None:
    folder = old_folders.make(tmp_path / "backend", 1)
    found(folder)
    assert {path.name for path in folder.iterdir()} - {"__pycache__"} == {"_wsgi.py", "model.py"}


# --- scripts --------------------------------------------------------------------------------------------


def test_a_script_is_a_backend(folder: Path) -> None:
    write(folder, script=ONE)
    assert found(folder / "script.py") == ("One", {})
    assert source.locate(str(folder)).path == str(folder / "script.py")


def test_a_class_can_be_named_behind_a_colon(folder: Path) -> None:
    write(folder, script=TWO)
    assert found(f"{folder}/script.py:Two")[0] == "Two"
    assert found(f"{folder}/script.py:One")[0] == "One"


def test_a_script_may_use_modules_beside_it(folder: Path) -> None:
    write(folder, other="ANSWER = 42", script=f"import other\n{ONE}")
    assert found(folder / "script.py")[0] == "One"


def test_config_json_beside_a_script_counts(folder: Path) -> None:
    write(folder, script=ONE)
    (folder / "config.json").write_text('{"threshold": 0.25}')
    assert found(folder / "script.py")[1] == {"threshold": 0.25}


def test_model_py_is_what_a_folder_without_wsgi_means(folder: Path) -> None:
    write(folder, model=ONE, helpers=TWO)
    assert source.locate(str(folder)).path == str(folder / "model.py")


def test_tests_beside_the_only_script_do_not_count(folder: Path) -> None:
    write(folder, classifier=ONE, test_api=ONE, _private=ONE, notes="print('no model here')")
    assert source.locate(str(folder)).path == str(folder / "classifier.py")


def test_of_a_class_and_what_it_derives_from_the_last_is_meant(folder: Path) -> None:
    write(folder, script=ONE + "class Derived(One): ...\n")
    assert found(folder / "script.py")[0] == "Derived"


def test_a_class_that_is_only_imported_is_served_when_there_is_no_other(folder: Path) -> None:
    write(folder, other=ONE, script="from other import One")
    assert found(folder / "script.py")[0] == "One"


def test_an_own_class_goes_before_those_it_imports(folder: Path) -> None:
    write(folder, other=ONE, script="from other import One\nclass Mine(One): ...\n")
    assert found(folder / "script.py")[0] == "Mine"


def test_the_base_classes_of_this_package_are_nobodys_model(folder: Path) -> None:
    write(folder, script="from label_studio_ml.helpers import *\nclass Mine(LabelStudioMLChoices): ...\n")
    assert found(folder / "script.py")[0] == "Mine"


def test_a_script_is_imported_once(folder: Path) -> None:
    write(folder, script=ONE)
    first, _ = loading.load(source.locate(str(folder)))
    again, _ = loading.load(source.locate(str(folder)))
    assert first is again


def test_scripts_of_one_name_in_two_folders_are_told_apart(folder: Path) -> None:
    for name in ("a", "b"):
        (folder / name).mkdir()
        write(folder / name, script=ONE.replace("One", name.upper()))
    assert [found(folder / name / "script.py")[0] for name in ("a", "b")] == ["A", "B"]


def test_classes_of_a_script_can_be_pickled(folder: Path) -> None:
    write(folder, script=ONE + "import pickle\nassert pickle.loads(pickle.dumps(One)) is One\n")
    assert found(folder / "script.py")[0] == "One"


def test_what_editors_leave_beside_the_script_of_a_folder_is_no_script(folder: Path) -> None:
    (folder / "backend").mkdir()
    write(folder / "backend", script=ONE)
    (folder / "backend" / ".#script.py").symlink_to("user@host.1:2")
    os.mkfifo(folder / "backend" / "pipe.py")
    assert found(folder / "backend")[0] == "One"


# --- what a person got wrong ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("nowhere", "no folder or script .*nowhere.*label-studio-ml init"),
        ("nowhere.py", "no script .*nowhere.py"),
        ("empty", "holds no backend.*--force"),
        ("several", r"several scripts \(a.py, b.py\)"),
        ("script.py:Absent", "has no class Absent"),
        ("script.py:number", "has no class number"),
        ("two.py", r"2 model classes \(One, Two\).*two.py:One"),
        ("none.py", "holds no model class.*LabelStudioMLBase"),
        ("text.txt", "neither a folder nor a Python script"),
        ("empty:One", "name a script before the colon"),
    ],
)
def test_a_mistake_is_told_in_words(target: str, says: str, folder: Path) -> None:
    for name in ("empty", "several"):
        (folder / name).mkdir()
    write(folder / "several", a=ONE, b=ONE)
    write(folder, script=ONE + "number = 5\n", two=TWO, none="x = 1")
    (folder / "text.txt").touch()
    with pytest.raises(SourceError, match=says):
        loading.load(source.locate(f"{folder}/{target}"))


@pytest.mark.parametrize(("text", "says"), [("{", "not readable JSON"), ("[1]", "must hold an object")])
def test_a_broken_config_json_is_told_before_anything_starts(text: str, says: str, folder: Path) -> None:
    write(folder, script=ONE)
    (folder / "config.json").write_text(text)
    for target in (folder, folder / "script.py"):
        with pytest.raises(SourceError, match=says):
            source.locate(str(target))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("import a_package_of_nobody", r"No module named 'a_package_of_nobody' \(script.py, line 1\)"),
        ("x = 1\nraise ValueError('no weights')", r"ValueError: no weights \(script.py, line 2\)"),
        ("def f(:\n", r"SyntaxError: .* \(script.py, line 1\)"),
        ("import sys\nsys.exit(3)", r"SystemExit: 3 \(script.py, line 2\)"),
    ],
)
def test_a_script_that_cannot_be_imported_says_where_and_why(text: str, says: str, folder: Path) -> None:
    write(folder, script=text)
    with pytest.raises(LoadError, match=says) as caught:
        found(folder / "script.py")
    assert caught.value.__cause__ is not None
    assert "script" not in sys.modules


# --- back from a class to its script ------------------------------------------------------------------------


class Here(LabelStudioMLBase):
    class Inside(LabelStudioMLBase):
        pass


def test_a_class_of_a_script_can_be_imported_again_by_a_child_process(folder: Path) -> None:
    write(folder, script=ONE)
    model_class, _ = loading.load(source.locate(str(folder)))
    again = source.of_class(model_class)
    assert again == Source(str(folder / "script.py"), "One")
    assert loading.load(again)[0] is model_class


def test_a_class_that_a_child_could_not_import_has_no_source() -> None:
    class Local(LabelStudioMLBase):
        pass

    assert source.of_class(Local) is None
    assert source.of_class(Here.Inside) is None
    assert source.of_class(LabelStudioMLBase) is None, "it is inside a package"


def test_looking_for_a_folder_imports_nothing_of_the_author(tmp_path: Path) -> None:
    write(tmp_path, model="raise RuntimeError('imported')")
    script = f"from label_studio_ml.author import source; print(source.locate({str(tmp_path)!r}).path)"
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == str(tmp_path / "model.py")
