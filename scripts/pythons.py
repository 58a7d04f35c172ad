"""Run the unit tests on every other Python that the package supports: `python -m scripts.pythons`.

Interpreters are taken from PATH and from pyenv; each gets a virtual environment that the next run uses again.
"""

# ruff: noqa: T201 - it talks to a person

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SUPPORTED = ("3.10", "3.11", "3.12", "3.13")


def version_of(python: Path) -> str:
    """What `python` really is; empty when it does not run, as a pyenv shim without a chosen version."""
    ask = "import sys; print('.'.join(map(str, sys.version_info[:2])))"
    try:
        answer = subprocess.run([python, "-c", ask], capture_output=True, text=True, check=False, timeout=60)
    except OSError:
        return ""
    return answer.stdout.strip() if answer.returncode == 0 else ""


def candidates(version: str) -> Iterator[Path]:
    """Where an interpreter of this version may be, most obvious first."""
    on_path = shutil.which(f"python{version}")
    if on_path:
        yield Path(on_path)
    roots = [Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")]
    # With an empty home, a shim on PATH or our own interpreter still tells where pyenv keeps its versions.
    roots += [folder.parent for entry in os.get_exec_path() if (folder := Path(entry)).name == "shims"]
    folders = [root / "versions" for root in roots] + [Path(sys.base_prefix).parent]
    for folder in folders:
        yield from sorted(folder.glob(f"{version}.*/bin/python{version}"), reverse=True)


def find(version: str) -> Path | None:
    """The first candidate that runs and has the right version."""
    return next((python for python in candidates(version) if version_of(python) == version), None)


def environment(python: Path, version: str) -> Path:
    """A virtual environment with the package and its tools, made anew when pyproject.toml changes."""
    venv = ROOT / f".venv-{version}"
    stamp = venv / ".installed-for"
    wanted = hashlib.sha256((ROOT / "pyproject.toml").read_bytes()).hexdigest()
    if not stamp.exists() or stamp.read_text() != wanted:
        subprocess.run([python, "-m", "venv", "--clear", venv], check=True)
        pip = [str(venv / "bin" / "python"), "-m", "pip"]
        subprocess.run([*pip, "install", "--quiet", "-e", f"{ROOT}[dev]"], check=True)
        stamp.write_text(wanted)
    return venv / "bin" / "python"


def tested(version: str) -> str:
    """Run the unit tests on one version; what came of it. The output is shown when all of it is there."""
    found = find(version)
    if found is None:
        return "MISSING: install it, or have pyenv install it"
    python = environment(found, version)
    command = [str(python), "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/unit"]
    run = subprocess.run(
        command, cwd=ROOT, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    print(f"== Python {version}\n{run.stdout}", flush=True)
    return "passed" if run.returncode == 0 else "FAILED"


def main() -> int:
    """Test with each other version, as many at once as there are cores; 1 when one failed or none was found."""
    others = [version for version in SUPPORTED if version != version_of(Path(sys.executable))]
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        outcomes = dict(zip(others, threads.map(tested, others), strict=True))

    print("\n".join(f"Python {version}: {outcome}" for version, outcome in outcomes.items()))
    if all("MISSING" in outcome for outcome in outcomes.values()):
        print("No other Python was found; this run has shown nothing new.")
        return 1
    return 0 if "FAILED" not in outcomes.values() else 1


if __name__ == "__main__":
    sys.exit(main())
