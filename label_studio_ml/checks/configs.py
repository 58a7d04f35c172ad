"""Which labeling config a backend is tried with: a file, a template, or what its folder shows.

Looks at files only; imports nothing of the author's.
"""

from __future__ import annotations

import ast
import difflib
import re
from pathlib import Path

import msgspec

from ..errors import UsageError

_TEMPLATES = Path(__file__).parent / "templates"
_FILE = "label_config.xml"
_TAG = re.compile(r"<View\b[^>]*>|</View>")


class LabelConfig(msgspec.Struct, frozen=True):
    """A labeling config, and where it comes from, as people say it."""

    xml: str
    source: str


def templates() -> list[str]:
    """Names of the templates that come with this package.

    >>> "object-detection" in templates()
    True
    """
    return sorted(path.stem for path in _TEMPLATES.glob("*.xml"))


def template(name: str) -> LabelConfig:
    """A template by its name.

    Raises:
        UsageError: there is none of that name; the message says which there are.
    """
    path = _TEMPLATES / f"{name}.xml"
    if name not in templates():
        close = difflib.get_close_matches(name, templates(), n=1, cutoff=0.4)
        hint = f" Did you mean {close[0]}?" if close else ""
        raise UsageError(
            f"{name!r} is neither a file nor a template.{hint} The templates are: {', '.join(templates())}."
        )
    return LabelConfig(path.read_text(), f"template {name}")


def named(text: str) -> LabelConfig:
    """What `--label-config` names: a file, a template, or the XML itself.

    Raises:
        UsageError: it is none of these.
    """
    if text.lstrip().startswith("<"):
        return LabelConfig(text, "given")
    path = Path(text).expanduser()
    if path.is_file():
        try:
            return LabelConfig(path.read_text(), path.name)
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"The labeling config {path} cannot be read: {error}.") from None
    if path.suffix or len(path.parts) > 1:
        raise UsageError(f"There is no labeling config {path}.")
    return template(text)


def of_folder(folder: Path) -> LabelConfig | None:
    """What a folder is for: its `label_config.xml`, else a constant in `test_api.py`, else XML in `README.md`."""
    path = folder / _FILE
    if path.is_file():
        return LabelConfig(path.read_text(), _FILE)
    tests = folder / "test_api.py"
    if tests.is_file() and (found := _constant(tests.read_text(errors="replace"))):
        name, xml = found
        return LabelConfig(xml, f"{name} of test_api.py")
    readme = folder / "README.md"
    if readme.is_file() and (xml := _first_view(readme.read_text(errors="replace"))):
        return LabelConfig(xml, "README.md")
    return None


def missing(folder: Path) -> UsageError:
    """What to say when nothing names a labeling config."""
    return UsageError(
        f"Which labeling config? {folder} holds no {_FILE}, and its test_api.py and README.md show none. "
        f"Save the config of your project as {folder / _FILE}, or give --label-config FILE, a template "
        f"({', '.join(templates()[:3])}, …), or --project N of your Label Studio."
    )


def _constant(code: str) -> tuple[str, str] | None:
    """Name and value of the first constant that is a labeling config; one called LABEL_CONFIG goes first."""
    try:
        module = ast.parse(code)
    except SyntaxError:
        return None
    found = {
        target.id: xml
        for node in module.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name) and isinstance(node.value.value, str)
        if (xml := _first_view(node.value.value))
    }
    if not found:
        return None
    name = "LABEL_CONFIG" if "LABEL_CONFIG" in found else next(iter(found))
    return name, found[name]


def _first_view(text: str) -> str:
    """The first `<View>` in a text, with all that is inside it; empty if there is none."""
    start = depth = 0
    for tag in _TAG.finditer(text):
        if tag[0].endswith("/>"):
            continue
        if tag[0] != "</View>":
            start = start if depth else tag.start()
            depth += 1
        elif depth:
            depth -= 1
            if not depth:
                return text[start : tag.end()]
    return ""
