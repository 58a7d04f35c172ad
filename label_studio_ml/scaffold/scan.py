"""Which model class a script holds, found by reading it and not by importing it.

Runs in the CLI, where the packages that the script needs may not be installed.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from ..errors import SourceError

_BASES = ("LabelStudioMLBase", "LabelStudioMLBaseHelper", "LabelStudioMLChoices")


def split_spec(spec: str) -> tuple[Path, str | None]:
    """Split what follows `--script`.

    >>> split_spec("backends/model.py:Reader")
    (PosixPath('backends/model.py'), 'Reader')
    >>> split_spec("model.py")
    (PosixPath('model.py'), None)
    """
    path, colon, name = spec.rpartition(":")
    if colon and path and name.isidentifier():
        return Path(path), name
    return Path(spec), None


def candidate_classes(path: Path) -> list[str]:
    """Return the model classes of a script, in order, without those that others of them inherit from.

    A model class has one of this package's base classes among its ancestors, as far as the script itself
    shows them. Classes inside functions do not count.

    Raises:
        SourceError: the file is not there or is not Python.
    """
    statements = list(_top_level(_parse(path).body))
    renamed = {
        alias.asname: alias.name
        for node in statements
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.asname
    }
    parents = {
        node.name: [renamed.get(name, name) for name in map(_last_name, node.bases)]
        for node in statements
        if isinstance(node, ast.ClassDef)
    }

    def is_model(name: str, seen: frozenset[str] = frozenset()) -> bool:
        if name in _BASES:
            return True
        return name not in seen and any(is_model(base, seen | {name}) for base in parents.get(name, ()))

    models = [name for name in parents if is_model(name)]
    return [name for name in models if not any(name in parents[other] for other in models)]


def choose_class(path: Path, name: str | None = None) -> str:
    """Return the script's only model class, or the one that was named.

    Raises:
        SourceError: there is no script, no such class, or none or several to choose from.
    """
    if name is not None:
        if name not in _defined_names(path):
            raise SourceError(f"There is no class {name} in {path}.")
        return name
    found = candidate_classes(path)
    if not found:
        raise SourceError(
            f"No class in {path} inherits from LabelStudioMLBase; write one, "
            f"or name a class that inherits from it in another file: --script {path}:ClassName"
        )
    if len(found) > 1:
        raise SourceError(
            f"{path} holds {len(found)} model classes, {' and '.join(found)}; "
            f"name the one to use: --script {path}:{found[0]}"
        )
    return found[0]


def _parse(path: Path) -> ast.Module:
    if path.is_dir():
        raise SourceError(f"{path} is a folder; name the Python file with the model class.")
    try:
        return ast.parse(path.read_bytes(), filename=str(path))
    except FileNotFoundError:
        raise SourceError(f"There is no script {path}.") from None
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}.") from None
    except SyntaxError as error:
        raise SourceError(f"{path} is not valid Python, line {error.lineno}: {error.msg}.") from None
    except ValueError as error:
        raise SourceError(f"{path} is not valid Python: {error}.") from None


def _top_level(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements that run on import, those under `if` and `try` included."""
    for node in body:
        yield node
        if isinstance(node, (ast.If, ast.Try)):
            blocks = [node.body, node.orelse]
            if isinstance(node, ast.Try):
                blocks += [node.finalbody, *(handler.body for handler in node.handlers)]
            for block in blocks:
                yield from _top_level(block)


def _last_name(base: ast.expr) -> str:
    """`Base` for the expressions `Base`, `module.Base` and `Base[int]`."""
    if isinstance(base, ast.Subscript):
        return _last_name(base.value)
    if isinstance(base, ast.Attribute):
        return base.attr
    return base.id if isinstance(base, ast.Name) else ""


def _defined_names(path: Path) -> set[str]:
    names: set[str] = set()
    for node in _top_level(_parse(path).body):
        if isinstance(node, ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            names.update(alias.asname or alias.name for alias in node.names)
        elif isinstance(node, ast.Assign):
            names.update(target.id for target in node.targets if isinstance(target, ast.Name))
    return names
