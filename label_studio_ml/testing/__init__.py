"""For authors' own tests: all checks of `label-studio-ml test`, and a backend to talk to as Label Studio does.

The model runs in the calling process, so that its methods can be patched and a debugger reaches it. Needs no
server, no Label Studio and no pytest; only what ends in `_fixture` makes a pytest fixture.
"""

from ..checks.report import Check, Outcome, Problem, Report
from .backend import Backend, connected
from .checking import check_backend
from .fixtures import backend_fixture, mean_score, samples_fixture, trained_fixture
from .sample_data import sample_annotation, sample_tasks

__all__ = [
    "Backend",
    "Check",
    "Outcome",
    "Problem",
    "Report",
    "backend_fixture",
    "check_backend",
    "connected",
    "mean_score",
    "sample_annotation",
    "sample_tasks",
    "samples_fixture",
    "trained_fixture",
]
