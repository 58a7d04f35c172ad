"""Results as a table for the terminal, and as results.md."""

from __future__ import annotations

import datetime
import os
import platform
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path

from rich.console import Console
from rich.table import Table

from . import peers
from .results import Bench, Figure, Finding, Result, number


def show(result: Result, console: Console) -> None:
    """Print one case."""
    table = Table(title=f"{result.key}: {result.title}", title_justify="left", title_style="bold")
    for column in ("", "median", "lowest – highest"):
        table.add_column(column, justify="left" if not column else "right")
    for figure in result.figures:
        table.add_row(f"{figure.contender}: {figure.what}", _median(figure), _spread(figure))
    if result.figures:
        console.print(table)
    else:
        console.print(f"[bold]{result.key}: {result.title}")
    for finding in result.findings:
        aim = f"  (aim {finding.aim}{_verdict(finding)})" if finding.aim else ""
        console.print(f"  {finding.what}: [bold]{finding.text}[/bold]{aim}", highlight=False)
    for note in result.notes:
        console.print(f"  {note}", markup=False, highlight=False)


def markdown(results: Sequence[Result], bench: Bench) -> str:
    """Everything, for results.md."""
    return "\n".join([*_head(bench), *_aims(results), *(line for result in results for line in _case(result))])


def _head(bench: Bench) -> Iterator[str]:
    yield "# Results"
    yield ""
    yield "Made by `make bench`; what each case means is in [README.md](README.md). Figures are medians of"
    yield f"{bench.rounds} rounds of {bench.seconds:g} s, contenders in turn. Ratios are taken within a round."
    yield ""
    yield "![Chart](results.png)"
    yield ""
    yield f"- {datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d %H:%M} UTC"
    yield f"- {_processor()}, {os.cpu_count()} cores; {platform.system()} {platform.release()}"
    yield f"- Python {platform.python_version()}; {_versions()}"
    if bench.peers:
        for environment in peers.ENVIRONMENTS[1:]:
            if environment.ready():
                yield f"- {environment.name}: {_peer_versions(environment)}"
    yield ""


def _aims(results: Sequence[Result]) -> Iterator[str]:
    yield "| | measured | aim | reached |"
    yield "|---|---:|---:|---|"
    for result in results:
        for finding in result.findings:
            reached = {True: "yes", False: "**no**", None: ""}[finding.reached]
            yield f"| {result.key}: {finding.what} | {finding.text} | {finding.aim} | {reached} |"
    yield ""


def _case(result: Result) -> Iterator[str]:
    yield f"## {result.key}"
    yield ""
    yield f"{result.title}."
    yield ""
    if result.figures:
        yield "| | median | lowest – highest |"
        yield "|---|---:|---:|"
    for figure in result.figures:
        yield f"| {figure.contender}: {figure.what} | {_median(figure)} | {_spread(figure)} |"
    yield ""
    for note in result.notes:
        yield f"- {note}"
    if result.notes:
        yield ""


def _median(figure: Figure) -> str:
    return f"{number(figure.median)}{figure.unit}"


def _spread(figure: Figure) -> str:
    low, high = figure.spread
    return f"{number(low)} – {number(high)}"


def _verdict(finding: Finding) -> str:
    return ", reached" if finding.reached else ", [red]not reached[/red]"


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _versions() -> str:
    found = [f"{name} {metadata.version(name)}" for name in ("label-studio-ml", "uvicorn", "scikit-learn")]
    if peers.OURS_WITH_MODELS.ready():
        found.append(f"torch {peers.OURS_WITH_MODELS.version('torch')}")
    return ", ".join(found)


def _peer_versions(environment: peers.Environment) -> str:
    found = [f"{environment.package} {environment.version()}"]
    if environment is peers.LEGACY:
        found.append(f"gunicorn {environment.version('gunicorn')}")
    return ", ".join([*found, *(f"{name} {environment.version(name)}" for name in ("scikit-learn", "torch"))])
