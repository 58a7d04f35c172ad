"""How our server does beside a bare ASGI function, beside its peers, and when it is disturbed.

    python -m benchmarks.serving [--case trivial …] [--rounds 5] [--seconds 3] [--no-peers] [--output FOLDER]

Contenders of a case run at the same time and are loaded in turn, in short rounds. A full run writes results.md and
results.png into benchmarks/; one with --case or --no-peers only prints, unless --output says where to write.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from . import chart, load, report
from .cases import against_others, disturbed, footprint, large, waiting
from .results import Bench, Result

CASES: dict[str, Callable[[Bench], Result]] = {
    "trivial": against_others.trivial,
    "overhead": waiting.overhead,
    "batching": waiting.batching,
    "tfidf": against_others.tfidf,
    "cnn": against_others.cnn,
    "large": large.large,
    "click": large.click,
    "killed": disturbed.killed,
    "start": footprint.start,
    "crowded": disturbed.crowded,
    "metrics": footprint.metrics,
}


def main() -> int:
    """Run the cases; 1 when one could not be measured. What is slower than it should be is no failure."""
    given = _arguments()
    console = Console(stderr=True)
    if not load.available():
        console.print("wrk is needed: install Debian's package `wrk` (`apt-get install wrk`), or your system's.")
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that every server is ended
    bench = Bench(given.rounds, given.seconds, given.peers, console.print)
    results, broken = [], False
    for place, name in enumerate(given.case):
        began = time.monotonic()
        with console.status(name) as status:
            bench.say = lambda what, status=status, name=name: status.update(f"{name}: {what}")  # type: ignore[misc]
            try:
                result = CASES[name](bench)
            except Exception as error:  # noqa: BLE001 - one case must not cost the others
                result, broken = Result(name, (CASES[name].__doc__ or "").rstrip(".")), True
                result.notes.append(f"Broke off: {type(error).__name__}: {error}")
        results.append(result)
        report.show(result, Console())
        console.print(f"{place + 1} of {len(given.case)} cases, {time.monotonic() - began:.0f} s\n")
    if given.output:
        given.output.mkdir(parents=True, exist_ok=True)
        (given.output / "results.md").write_text(report.markdown(results, bench))
        chart.draw(results, given.output / "results.png")
        console.print(f"written: {given.output / 'results.md'} and results.png")
    return 1 if broken else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", action="append", choices=CASES, help="only this one; repeat for several")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each case (default 5)")
    parser.add_argument("--seconds", type=float, default=3, help="length of a round (default 3)")
    parser.add_argument("--no-peers", dest="peers", action="store_false", help="leave the other servers out")
    parser.add_argument("--output", type=Path, help="folder for results.md and results.png")
    given = parser.parse_args()
    if given.output is None and given.case is None and given.peers:
        given.output = Path(__file__).parent
    given.case = given.case or list(CASES)
    return given


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
