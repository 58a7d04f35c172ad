"""Run tests with the lowest versions that pyproject.toml allows: `python -m scripts.floors`.

What the package asks for is as old as it may be, on the oldest Python that is found; what that asks for in turn,
and the tools of the tests, are what fits to it. The environment is made anew when pyproject.toml changes.
"""

# ruff: noqa: T201 - it talks to a person

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

from .pythons import ROOT, SUPPORTED, find

VENV = ROOT / ".venv-floors"
PYTHON = VENV / "bin" / "python"
UV = Path(sys.executable).with_name("uv")
TESTS = ("tests/unit", "tests/integration/test_recordings.py")
NOT_OF_THE_PACKAGE = ("tests/unit/benchmarks", "tests/unit/scripts")


def lowest() -> list[str]:
    """The lowest versions that fit together, as `name==version`, of what the package itself asks for."""
    command: list[str | Path] = [
        UV,
        "pip",
        "compile",
        "--quiet",
        "--resolution",
        "lowest-direct",
        "--annotation-style",
        "line",
    ]
    command += ["--extra", "postgresql", "--python", PYTHON, ROOT / "pyproject.toml"]
    resolved = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    return [line.split()[0] for line in resolved if "(pyproject.toml)" in line]


def prepare() -> None:
    """Make the environment, unless it is there."""
    stamp = VENV / ".installed-for"
    wanted = hashlib.sha256((ROOT / "pyproject.toml").read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted:
        return
    python = next((found for version in SUPPORTED if (found := find(version))), Path(sys.executable))
    subprocess.run([UV, "venv", "--quiet", "--clear", "--python", python, VENV], check=True)
    floors = VENV / "floors.txt"
    floors.write_text("\n".join(lowest()) + "\n")
    install: list[str | Path] = [UV, "pip", "install", "--quiet", "--python", PYTHON, "--constraints", floors]
    subprocess.run([*install, "--editable", f"{ROOT}[test]"], check=True)
    stamp.write_text(wanted)


def main() -> int:
    """Test with the lowest versions; what pytest returns."""
    prepare()
    print((VENV / "floors.txt").read_text(), flush=True)
    left_out = [f"--ignore={folder}" for folder in NOT_OF_THE_PACKAGE]
    command: list[str | Path] = [
        PYTHON,
        "-m",
        "pytest",
        "-q",
        "-n",
        "2",
        "-p",
        "no:cacheprovider",
        *TESTS,
        *left_out,
    ]
    return subprocess.run(command, cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
