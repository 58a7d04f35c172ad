"""Environments of the servers that we measure ours against, each installed once into a cache folder.

    python -m benchmarks.peers        installs them all, and says which cannot be

`LABEL_STUDIO_ML_BENCH_CACHE` moves the folder, which is ~/.cache/label-studio-ml-bench.
"""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

from .processes import StartError

ROOT = Path(__file__).parents[1]
CACHE = Path(os.environ.get("LABEL_STUDIO_ML_BENCH_CACHE", "~/.cache/label-studio-ml-bench")).expanduser()
INSTALL_SECONDS = 1200

TORCH = "torch==2.13.0"
MODELS = (TORCH, "scikit-learn>=1.4,<2")
"""What the real models need, the same everywhere."""


@dataclass(frozen=True)
class Environment:
    """A virtual environment; `package` is the one whose version counts."""

    name: str
    package: str
    requirements: tuple[str, ...]

    @property
    def folder(self) -> Path:
        """Where it is; one for each version of Python."""
        return CACHE / f"{self.name}-py{sys.version_info.major}.{sys.version_info.minor}"

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / "bin" / "python"

    def ready(self) -> bool:
        """Whether exactly this has been installed."""
        stamp = self.folder / "installed"
        return stamp.exists() and stamp.read_text() == self._wanted()

    def install(self) -> None:
        """Install it unless that has been done.

        Raises:
            StartError: pip could not.
        """
        if self.ready():
            return
        CACHE.mkdir(parents=True, exist_ok=True)
        venv.create(self.folder, clear=True, symlinks=True, with_pip=True)
        log = CACHE / f"{self.folder.name}.log"
        with log.open("wb") as output:
            try:
                done = subprocess.run(
                    [self.python, "-m", "pip", "install", *self.requirements],
                    check=False,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    timeout=INSTALL_SECONDS,
                )
            except subprocess.TimeoutExpired:
                raise StartError(f"installing took more than {INSTALL_SECONDS} s ({log})") from None
        if done.returncode:
            errors = [line for line in log.read_text(errors="replace").splitlines() if line.startswith("ERROR")]
            raise StartError(f"cannot be installed: {errors[-1][:200] if errors else log}")
        (self.folder / "installed").write_text(self._wanted())

    def version(self, package: str | None = None) -> str:
        """The installed version of its package, or of another one."""
        code = "import sys; from importlib import metadata; print(metadata.version(sys.argv[1]))"
        command = [str(self.python), "-I", "-c", code, package or self.package]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def _wanted(self) -> str:
        # What our own package needs is written in its pyproject.toml.
        ours = (ROOT / "pyproject.toml").read_text() if str(ROOT) in self.requirements else ""
        return "\n".join((*self.requirements, ours))


# These pins are what it takes to import it: an older Flask stack, and a setuptools that still has pkg_resources
# (older than 70 would do, but PyTorch wants 77).
LEGACY = Environment(
    "label-studio-ml",
    "label-studio-ml",
    ("label-studio-ml==1.0.9", "rq<2", "werkzeug<2.1", "markupsafe<2.1", "setuptools<81", "gunicorn", *MODELS),
)
LITSERVE = Environment("litserve", "litserve", ("litserve>=0.2.10", *MODELS))
BENTOML = Environment("bentoml", "bentoml", ("bentoml>=1.4,<2", *MODELS))
# It asks uvloop for an event loop in a way that 0.22 ended.
MLSERVER = Environment("mlserver", "mlserver", ("mlserver>=1.6,<2", "uvloop<0.22", *MODELS))
OURS_WITH_MODELS = Environment("ours", "label-studio-ml", ("-e", str(ROOT), *MODELS))
"""For the case with PyTorch, which the environment of development does not have."""

ENVIRONMENTS = (OURS_WITH_MODELS, LEGACY, LITSERVE, BENTOML, MLSERVER)


def main() -> int:
    """Install them and print their versions; 1 when one cannot be."""
    status = 0
    for environment in ENVIRONMENTS:
        try:
            environment.install()
            print(f"{environment.name:18} {environment.version()}")
        except StartError as error:
            print(f"{environment.name:18} {error}")
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
