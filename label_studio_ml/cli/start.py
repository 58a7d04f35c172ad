"""`label-studio-ml start`: serve a backend folder or a script. Its options are the settings, one for one."""

from __future__ import annotations

import dataclasses
import inspect
from pathlib import Path
from typing import Annotated, Any

import typer

from .. import settings
from ..author import source
from ..errors import UsageError
from ..settings import SPECS, option_names, shown_default
from .options import Kwargs, Target

RootDir = Annotated[str, typer.Option("--root-dir", help="Where a relative folder starts from.")]
Check = Annotated[bool, typer.Option("--check", help="Construct the model class before serving.")]


def _start(directory: str, root_dir: str, kwargs: list[str], check: bool, **options: Any) -> None:
    """Serve a backend to Label Studio.

    The backend is a folder made by `label-studio-ml init`, by an older version of this package, or just a script
    (`path.py`, or `path.py:Class` when it holds several model classes).

    The settings, under headings below, are environment variables, too, as in LABEL_STUDIO_ML_WORKERS; names that
    older packages read stand beside them.
    """
    found = source.locate(str(Path(root_dir) / directory))
    config = settings.load(**options, default_model_dir=found.folder / "model-data")
    from ..server import serve

    serve.run(config, found, parse_kwargs(kwargs), check=check)


def parse_kwargs(pairs: list[str]) -> dict[str, Any]:
    """Read `key=value` arguments; numbers and true/false become what they look like.

    Raises:
        UsageError: one has no `=`.

    >>> parse_kwargs(["threshold=0.5", "size=3", "fast=true", "name=x=y"])
    {'threshold': 0.5, 'size': 3, 'fast': True, 'name': 'x=y'}
    """
    found: dict[str, Any] = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not equals or not key:
            raise UsageError(f"{pair!r} is not key=value, as --with needs it.")
        found[key] = _value(text)
    return found


def _value(text: str) -> Any:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _option(spec: dataclasses.Field[Any]) -> inspect.Parameter:
    """The option for a setting."""
    about, names, default = spec.metadata, option_names(spec), shown_default(spec)
    kind = str if about["kind"] else {bool: bool, int: int, float: float}.get(type(spec.default), str)
    notes = f" [default: {default}]" if default else ""
    notes += f" [{', '.join(about['env'])}]" if about["env"] else ""
    option = typer.Option(
        *(["/".join(names)] if spec.default is True else names),
        metavar={"size": "<size>", "duration": "<time>"}.get(about["kind"]),
        help=about["help"] + notes,
        show_default=False,
        rich_help_panel=about["group"].value,
    )
    return _parameter(spec.name, None, Annotated[kind | None, option])


def _parameter(name: str, default: Any, annotation: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _command() -> Any:
    """`_start` with one option for every setting, so that neither can be forgotten."""
    parameters = [
        _parameter("directory", inspect.Parameter.empty, Target),
        _parameter("root_dir", ".", RootDir),
        _parameter("kwargs", [], Kwargs),
        _parameter("check", False, Check),
        *map(_option, SPECS),
    ]

    def start(**options: Any) -> None:
        _start(**options)

    start.__doc__ = _start.__doc__
    start.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    start.__annotations__ = {found.name: found.annotation for found in parameters}
    return start


start_command = _command()
