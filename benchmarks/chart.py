"""The picture of the results: how many requests a second each server answers, and what else was asked of ours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from .results import Figure, Result, number

OURS, LIMIT = "ours", "bare ASGI function"
NAMES = {OURS: "label-studio-ml, this version", LIMIT: "a bare ASGI function, the upper limit"}
GREEN, AMBER, PALE, GREY, TEXT, FAINT = "#0f766e", "#b45309", "#dbe4ee", "#a8b5c6", "#1e293b", "#64748b"
RATE = "requests a second"
PANELS = {
    "trivial": ("A model that costs nothing", "16 clients"),
    "tfidf": ("scikit-learn: TF-IDF, logistic regression", "32 clients, batching on"),
    "cnn": ("PyTorch: a small CNN", "32 clients, batching on"),
}
TILES = (
    ("overhead", "ours, above", "added to a prediction,\none client"),
    ("batching", "32 clients", "by batching, on a device\nof 20 ms a call"),
    ("large", "tasks a second", "tasks, in one request\nof 10 000"),
    ("click", "longest", "longest click during a\nbatch of 32 ms a call"),
    ("killed", "failed", "requests failed, a worker\nkilled every second"),
    ("start", "first healthy", "from the command to\na healthy answer"),
    ("start", "web process", "taken by the\nweb process"),
)


def draw(results: Sequence[Result], path: Path) -> None:
    """Write the picture as PNG."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    found = {result.key: result for result in results}
    panels = [key for key in PANELS if key in found and _bars(found[key])]
    tiles = list(_tiles(found))
    with mpl.rc_context({"font.family": "DejaVu Sans", "text.color": TEXT, "font.size": 11}):
        picture = pyplot.figure(figsize=(15, 8), dpi=130, facecolor="white")
        picture.text(0.03, 0.935, "Predictions a second", size=24, weight="bold")
        subtitle = (
            "One task a request, over HTTP, the load on the same machine. Thin lines: slowest and quickest round."
        )
        picture.text(0.03, 0.895, subtitle, color=FAINT)
        for place, key in enumerate(panels):
            width = 0.94 / len(panels)
            _panel(picture.add_axes((0.03 + place * width, 0.22, width - 0.03, 0.57)), found[key], PANELS[key])
        if any(reached is False for _, _, reached in tiles):
            picture.text(0.97, 0.945, "amber: not what was aimed at", color=AMBER, size=10, ha="right")
        for place, (value, what, reached) in enumerate(tiles):
            left = 0.03 + place * 0.94 / len(tiles)
            picture.text(left, 0.135, value, size=21, weight="bold", color=AMBER if reached is False else GREEN)
            picture.text(left, 0.11, what, size=10, color=FAINT, va="top", linespacing=1.4)
        picture.savefig(path)
        pyplot.close(picture)


def _bars(result: Result) -> list[Figure]:
    """The slowest first, since the first is drawn at the bottom."""
    return sorted((one for one in result.figures if one.what == RATE), key=lambda one: one.median)


def _panel(axes: Any, result: Result, title: tuple[str, str]) -> None:
    """Bars of one case; above each who it is, behind it how many, and how many times more ours does."""
    bars = _bars(result)
    longest = max(bar.spread[1] for bar in bars)
    for place, bar in enumerate(bars):
        low, high = bar.spread
        mine, colour = bar.contender == OURS, {OURS: GREEN, LIMIT: PALE}.get(bar.contender, GREY)
        weight = "bold" if mine else "normal"
        axes.barh(place, bar.median, height=0.42, color=colour)
        axes.plot([low, high], [place, place], color=TEXT, linewidth=1, alpha=0.6, solid_capstyle="butt")
        axes.text(0, place + 0.27, NAMES.get(bar.contender, bar.contender), va="bottom", size=10.5, weight=weight)
        axes.text(high + longest * 0.02, place, number(bar.median), va="center", size=11.5, weight=weight)
        ratio = result.ratio(OURS, bar.contender, RATE)
        if ratio is not None and bar.contender not in (OURS, LIMIT):
            text, ours = f"ours: {number(ratio)}×", GREEN if ratio >= 1 else AMBER
            axes.text(longest * 1.22, place + 0.27, text, va="bottom", ha="right", color=ours, weight="bold")
    axes.set_title(title[0], loc="left", size=13.5, weight="bold", color=TEXT, pad=30)
    axes.text(0, 1.035, title[1], transform=axes.transAxes, color=FAINT, size=10.5)
    axes.set_xlim(0, longest * 1.22)
    axes.set_ylim(min(len(bars) - 6, 0) - 0.5, len(bars) - 0.3)
    axes.axis("off")


def _tiles(found: Mapping[str, Result]) -> Iterator[tuple[str, str, bool | None]]:
    """Value, what it is, and whether it is what was aimed at."""
    for key, beginning, text in TILES:
        for finding in found[key].findings if key in found else ():
            if finding.what.startswith(beginning):
                yield finding.text, text, finding.reached
                break
