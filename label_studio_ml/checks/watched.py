"""A `ModelHost` that remembers what the author's code did: calls of predict(), their time, and what was raised."""

from __future__ import annotations

import inspect
import linecache
import sys
import time
import traceback
from pathlib import Path
from typing import Any

import msgspec

from ..author.fit import Trained
from ..author.host import ModelHost
from ..author.predict import Predictor
from ..author.reply import Growing
from ..errors import FitError
from ..logs import redact
from ..settings import Settings
from ..store.database import Database


class Call(msgspec.Struct):
    """One call of the author's predict()."""

    tasks: int
    """How many."""
    seconds: float = 0.0
    items: list[Any] = []
    """What came back."""
    error: BaseException | None = None
    """What was raised."""


class _WatchedPredictor(Predictor):
    def __init__(self, calls: list[Call]) -> None:
        super().__init__()
        self.calls = calls

    def call(
        self, instance: Any, tasks: list[dict[str, Any]], params: dict[str, Any], growing: Growing | None = None
    ) -> list[Any]:
        """Have the author's class predict, and note what happens."""
        call = Call(len(tasks))
        self.calls.append(call)
        started = time.perf_counter()
        try:
            call.items = super().call(instance, tasks, params, growing)
        except BaseException as error:
            call.error = error
            raise
        finally:
            call.seconds = time.perf_counter() - started
        return call.items


class Fit(msgspec.Struct):
    """One call of the author's fit()."""

    seconds: float = 0.0
    error: BaseException | None = None
    """What was raised."""


class WatchedHost(ModelHost):
    """A host that notes what the author's code does."""

    def __init__(
        self, model_class: type[Any], kwargs: dict[str, Any], settings: Settings, database: Database
    ) -> None:
        self.calls: list[Call] = []
        self.fits: list[Fit] = []
        super().__init__(model_class, kwargs, settings, database, _WatchedPredictor(self.calls))

    def fit(self, *args: Any, **kwargs: Any) -> Trained:
        """Have the author's class learn, and note what happens."""
        fit = Fit()
        self.fits.append(fit)
        started = time.perf_counter()
        try:
            return super().fit(*args, **kwargs)
        except FitError as error:
            fit.error = error.__cause__ or error
            raise
        finally:
            fit.seconds = time.perf_counter() - started


def peak_memory() -> int | None:
    """The most memory this process has held so far, in bytes; None where the system does not say."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def folder_of(model_class: type[Any]) -> Path | None:
    """The folder of the author's code."""
    try:
        return Path(inspect.getfile(model_class)).absolute().parent
    except (OSError, TypeError):  # typed in, or made by exec()
        return None


def where(error: BaseException | None, folder: Path | None) -> str:
    """The last line of the author's own code that an error went through, with the code itself."""
    if error is None or folder is None:
        return ""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = Path(frame.filename)
        if _is_own(path, folder):
            code = linecache.getline(frame.filename, frame.lineno or 0).strip()
            return f"{path.relative_to(folder)}, line {frame.lineno}: {code}"
    return ""


def detail(error: BaseException | None, folder: Path | None) -> str:
    """The traceback from the author's own code on, without secrets."""
    if error is None:
        return ""
    start = error.__traceback__
    while start is not None and not _is_own(Path(start.tb_frame.f_code.co_filename), folder):
        start = start.tb_next
    lines = traceback.format_exception(type(error), error, start or error.__traceback__)
    return redact("".join(lines)).rstrip()


def _is_own(path: Path, folder: Path | None) -> bool:
    if folder is None or not path.is_absolute() or "site-packages" in path.parts:
        return False
    return path.is_relative_to(folder)
