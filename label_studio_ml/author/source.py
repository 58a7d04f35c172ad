"""Where the author's class is: from a folder or a script to a file. Imports nothing; runs anywhere."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from ..errors import SourceError
from ..processes.messages import Source


def locate(target: str) -> Source:
    """Find the Python file that a folder, `path.py` or `path.py:Class` stands for.

    Raises:
        SourceError: there is no such file, or the folder holds none that could be it.
    """
    path, class_name = _split(target)
    if path.is_dir():
        if class_name:
            raise SourceError(f"{target}: name a script before the colon, as in model.py:{class_name}.")
        return Source(str(_main_file(path)), None, _config(path))
    if not path.exists():
        what = "script" if path.suffix == ".py" else "folder or script"
        raise SourceError(f"There is no {what} {path}. Create a backend with: label-studio-ml init {path}")
    if path.suffix != ".py":
        raise SourceError(f"{path} is neither a folder nor a Python script.")
    return Source(str(path), class_name, _config(path.parent))


def of_class(model_class: type[Any]) -> Source | None:
    """Where a class that is already imported can be imported from again; None when it cannot."""
    module = sys.modules.get(model_class.__module__)
    path = getattr(module, "__file__", None)
    if path is None or model_class.__module__ == "__main__" or "<locals>" in model_class.__qualname__:
        return None
    if "." in model_class.__module__ or getattr(module, model_class.__name__, None) is not model_class:
        return None  # inside a package, where relative imports need the package; or hidden in another class
    return Source(str(Path(path).absolute()), model_class.__name__)


def _split(target: str) -> tuple[Path, str | None]:
    head, colon, tail = target.rpartition(":")
    if colon and tail.isidentifier() and head:
        return Path(head).expanduser().absolute(), tail
    return Path(target).expanduser().absolute(), None


def _main_file(folder: Path) -> Path:
    for name in ("_wsgi.py", "model.py"):
        if (folder / name).is_file():
            return folder / name
    scripts = [
        path
        for path in sorted(folder.glob("*.py"))
        if path.is_file()
        and not path.name.startswith(("test_", "_"))
        and "LabelStudioML" in path.read_text(errors="replace")
    ]
    if len(scripts) == 1:
        return scripts[0]
    if not scripts:
        raise SourceError(
            f"The folder {folder} holds no backend: neither _wsgi.py nor a script with a model class. "
            f"Create one with: label-studio-ml init {folder} --force"
        )
    names = ", ".join(path.name for path in scripts)
    raise SourceError(f"The folder {folder} holds several scripts ({names}); start one of them by its path.")


def _config(folder: Path) -> dict[str, Any]:
    path = folder / "config.json"
    if not path.is_file():
        return {}
    try:
        config = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise SourceError(f"{path} is not readable JSON: {error}.") from None
    if not isinstance(config, dict):
        raise SourceError(f"{path} must hold an object with arguments for the model class.")
    return config
