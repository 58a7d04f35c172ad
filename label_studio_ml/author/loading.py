"""Importing the author's code and finding the class in it. Never in the web process."""

from __future__ import annotations

import importlib.util
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any

from ..errors import LoadError, SourceError, one_line
from ..instance import functions
from ..instance.classes import model_classes
from ..processes.messages import Source


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
