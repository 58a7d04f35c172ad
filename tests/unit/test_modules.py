"""How the package is cut: small modules, and no circle of imports, not even through a package's `__init__`."""

from __future__ import annotations

from pathlib import Path

import grimp

import label_studio_ml

PACKAGE = Path(label_studio_ml.__file__).parent
MOST_LINES = 350
NOT_OURS_TO_CUT = ("examples", "scaffold")  # what authors start from reads best in one file


def modules() -> list[Path]:
    """The modules of the package that anyone reads."""
    paths = [path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py")]
    return [path for path in paths if path.parts[0] not in NOT_OURS_TO_CUT and "migrations" not in path.parts]


def test_no_module_is_longer_than_one_sitting() -> None:
    lines = {str(path): len((PACKAGE / path).read_text().splitlines()) for path in modules()}
    assert len(lines) > 100, "they were found"
    assert {path for path, count in lines.items() if count > MOST_LINES} == set()


def test_no_module_imports_itself_through_others() -> None:
    graph = grimp.build_graph("label_studio_ml", cache_dir=None)
    # The address that the console script has always had.
    graph.remove_import(importer="label_studio_ml.server", imported="label_studio_ml.cli.main")
    circular = {
        (importer, imported)
        for importer in graph.modules
        for imported in graph.find_modules_directly_imported_by(importer)
        if graph.chain_exists(importer=imported, imported=importer)
    }
    assert circular == set()
