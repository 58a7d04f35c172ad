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

_SHORT = {"port": ["-p"], "debug": ["-d"]}


def _start(directory: str, root_dir: str, kwargs: list[str], check: bool, **options: Any) -> None:
    """Serve a backend to Label Studio.

    The backend is a folder made by `label-studio-ml init`, by an older version of this package, or just a script
    (`path.py`, or `path.py:Class` when it holds several model classes).
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


def _command() -> Any:
    """`_start` with one option for every setting, so that neither can be forgotten."""
    parameter, keyword = inspect.Parameter, inspect.Parameter.KEYWORD_ONLY
    parameters = [
        parameter(
            "directory", keyword, annotation=Annotated[str, typer.Argument(help="Folder or script of the backend.")]
        ),
        parameter(
            "root_dir",
            keyword,
            default=".",
            annotation=Annotated[str, typer.Option("--root-dir", help="Where a relative folder starts from.")],
        ),
        parameter(
            "kwargs",
            keyword,
            default=[],
            annotation=Annotated[
                list[str],
                typer.Option(
                    "--with", "--kwargs", metavar="KEY=VALUE", help="Argument for the model class; repeat."
                ),
            ],
        ),
        parameter(
            "check",
            keyword,
            default=False,
            annotation=Annotated[bool, typer.Option("--check", help="Construct the model class before serving.")],
        ),
    ]
    for spec in dataclasses.fields(settings.Settings):
        flag = "--" + spec.name.replace("_", "-")
        kind = {bool: bool, int: int, float: float}.get(type(spec.default), str)
        if spec.metadata["kind"]:
            kind = str
        if spec.default is True:
            flag += f"/--no-{flag[2:]}"
        names = [*_SHORT.get(spec.name, []), flag]
        hint = f" [{', '.join(spec.metadata['env'])}]" if spec.metadata["env"] else ""
        option = typer.Option(*names, help=spec.metadata["help"] + hint, show_default=_shown(spec))
        parameters.append(parameter(spec.name, keyword, default=None, annotation=Annotated[kind | None, option]))

    def start(**options: Any) -> None:
        _start(**options)

    start.__doc__ = _start.__doc__
    start.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    start.__annotations__ = {found.name: found.annotation for found in parameters}
    return start


def _shown(spec: dataclasses.Field[Any]) -> str | bool:
    if spec.metadata["shown"]:
        return str(spec.metadata["shown"])
    return False if spec.name == "model_dir" or spec.default in ("", False, 0, None) else str(spec.default)


start_command = _command()
