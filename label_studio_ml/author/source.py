"""From a folder, a script or a `_wsgi.py` to the author's class.

`locate` only looks at files and may run anywhere; `load` imports the author's code and belongs in a worker.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any

from ..errors import LoadError, SourceError, one_line
from ..instance import functions
from ..instance.classes import model_classes
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


def load(source: Source) -> tuple[type[Any], dict[str, Any]]:
    """Import the author's code and return the class and the arguments for its constructor.

    Raises:
        SourceError: the file holds no model class, or several.
        LoadError: the import failed; the cause is chained.
    """
    module = _import(Path(source.path))
    for app in vars(module).values():
        if isinstance(getattr(app, "model_class", None), type) and hasattr(app, "model_kwargs"):
            return app.model_class, {**source.kwargs, **app.model_kwargs}
    if source.class_name:
        found = getattr(module, source.class_name, None)
        if not isinstance(found, type):
            raise SourceError(f"{source.path} has no class {source.class_name}.")
        return found, source.kwargs
    from ..model import LabelStudioMLBase  # not before the author's code is wanted: it takes a second

    classes = model_classes(module, LabelStudioMLBase)
    if len(classes) > 1:
        names = sorted(found.__name__ for found in classes)
        raise SourceError(
            f"{source.path} holds {len(names)} model classes ({', '.join(names)}). "
            f"Name the one to use: {source.path}:{names[0]}"
        )
    if classes:
        return classes[0], source.kwargs
    if functions.registered_predict() is not None:
        return LabelStudioMLBase, source.kwargs
    raise SourceError(
        f"{source.path} holds no model class. Write one that inherits from label_studio_ml.model.LabelStudioMLBase."
    )


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
        if not path.name.startswith(("test_", "_")) and "LabelStudioML" in path.read_text(errors="replace")
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


def _where(error: BaseException, folder: Path) -> str:
    """The last line of the author's own code that an error went through."""
    if isinstance(error, SyntaxError) and error.filename:
        return f" ({Path(error.filename).name}, line {error.lineno})"
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if Path(frame.filename).is_relative_to(folder):
            return f" ({Path(frame.filename).name}, line {frame.lineno})"
    return ""


def _import(path: Path) -> ModuleType:
    folder, name = str(path.parent), path.stem
    if folder not in sys.path:
        sys.path.insert(0, folder)
    loaded = sys.modules.get(name)
    if loaded is not None and getattr(loaded, "__file__", None) == str(path):
        return loaded
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise SourceError(f"{path} cannot be imported as Python.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # before running it, as pickles and dataclasses look it up
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        sys.modules.pop(name, None)
        raise LoadError(f"Importing {path} failed: {one_line(error)}{_where(error, path.parent)}") from error
    return module
