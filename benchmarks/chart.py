"""The picture of the results: how many requests a second each server answers, and what else was asked of ours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from .results import Result, number

OURS_COLOUR, LIMIT_COLOUR, PEER_COLOUR, TEXT, FAINT = "#0f766e", "#cbd5e1", "#94a3b8", "#1e293b", "#64748b"
PANELS = {
    "trivial": "A model that costs nothing\n16 clients",
    "tfidf": "scikit-learn: TF-IDF + logistic regression\n32 clients, batching on",
    "cnn": "PyTorch: small CNN\n32 clients, batching on",
}
RATE = "requests a second"


def draw(results: Sequence[Result], path: Path) -> None:
    """Write the picture as PNG."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    found = {result.key: result for result in results}
    tiles = list(_tiles(found))
    panels = [key for key in PANELS if key in found and any(one.what == RATE for one in found[key].figures)]
    with mpl.rc_context({"font.family": "DejaVu Sans", "text.color": TEXT, "font.size": 11}):
        figure = pyplot.figure(figsize=(15, 7.6), dpi=130, facecolor="white")
        figure.text(0.03, 0.945, "Predictions a second", size=23, weight="bold")
        figure.text(
            0.03, 0.905, "One task a request, over HTTP, on one machine with the load; longer is better", color=FAINT
        )
        for place, key in enumerate(panels):
            width = 0.97 / len(panels)
            axes = figure.add_axes((0.03 + place * width, 0.35, width - 0.05, 0.43))
            _panel(axes, found[key], PANELS[key])
        for place, (value, what, reached) in enumerate(tiles):
            left = 0.03 + place * 0.95 / max(len(tiles), 1)
            colour = OURS_COLOUR if reached is not False else "#b45309"
            figure.text(left, 0.165, value, size=21, weight="bold", color=colour)
            figure.text(left, 0.135, what, size=10, color=FAINT, va="top", linespacing=1.4)
        figure.savefig(path)
        pyplot.close(figure)


def _panel(axes: Any, result: Result, title: str) -> None:
    """Bars of one case, the quickest on top; behind each name how much quicker ours is."""
    bars = sorted((one for one in result.figures if one.what == RATE), key=lambda one: one.median)
    ours = next((one.median for one in bars if one.contender == "ours"), 0.0)
    longest = max(one.median for one in bars)
    for place, bar in enumerate(bars):
        name, low, high = bar.contender, *bar.spread
        colour = {"ours": OURS_COLOUR, "bare ASGI function": LIMIT_COLOUR}.get(name, PEER_COLOUR)
        axes.barh(place, bar.median, height=0.62, color=colour)
        axes.plot([low, high], [place, place], color=TEXT, linewidth=1.2, alpha=0.55, solid_capstyle="butt")
        label = number(bar.median)
        if name == "ours":
            label = f"{label}"
        elif ours and name != "bare ASGI function":
            label = f"{label}    ours: {number(ours / bar.median)}×"
        weight = "bold" if name == "ours" else "normal"
        axes.text(max(bar.median, high) + longest * 0.015, place, label, va="center", weight=weight, size=10.5)
    names = {"ours": "label-studio-ml (this)", "bare ASGI function": "bare ASGI function,\nno model process"}
    axes.set_yticks(range(len(bars)), [names.get(bar.contender, bar.contender) for bar in bars])
    for tick, bar in zip(axes.get_yticklabels(), bars, strict=True):
        tick.set_weight("bold" if bar.contender == "ours" else "normal")
    axes.set_title(title, loc="left", size=12, color=TEXT, linespacing=1.5, pad=10)
    axes.set_xlim(0, longest * 1.32)
    axes.xaxis.set_visible(False)
    axes.tick_params(axis="y", length=0)
    for side in axes.spines.values():
        side.set_visible(False)


def _tiles(found: Mapping[str, Result]) -> Iterator[tuple[str, str, bool | None]]:
    """Value, what it is, and whether it is what was asked for."""
    wanted = (
        ("overhead", "ours, above", "added to a prediction,\none client"),
        ("batching", "32 clients", "by batching, on a device\nof 20 ms a call"),
        ("large", "tasks a second", "tasks in one request\nof 10 000"),
        ("click", "longest", "longest click during\na large batch"),
        ("killed", "failed", "requests failed, a worker\nkilled every second"),
        ("start", "first healthy", "from the command to\na healthy answer"),
        ("start", "web process", "in the web process"),
    )
    for key, beginning, text in wanted:
        for finding in found[key].findings if key in found else ():
            if finding.what.startswith(beginning):
                yield finding.text, text, finding.reached
