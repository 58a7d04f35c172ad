"""What a server costs besides answering: its start, its memory, its own figures."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path

from ..contenders import OURS, WITHOUT_METRICS, Server
from ..load import load
from ..processes import cpu_seconds
from ..results import Bench, Finding, Result
from ..startup import one_round

COST, RATE = "processor time of the web process a request", "requests a second"
UNITS = {"s": " s", "MB": " MB"}


def start(bench: Bench) -> Result:
    """From the command to the first healthy answer, and the memory of the processes."""
    result = Result("start", "Start with the dummy model, and memory after one prediction")
    states = ("a new store", "a known store")
    for done in range(bench.rounds):
        bench.say(f"round {done + 1} of {bench.rounds}: start")
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            for state in states:
                for name, value in one_round(Path(folder)).items():
                    what, _, unit = name.rpartition(", ")
                    result.add(f"ours, {state}", what, UNITS[unit], value)
    for what, unit, aim in (("first healthy answer", " s", 1.0), ("web process", " MB", 80.0)):
        for state in states:
            if figure := result.find(f"ours, {state}", what):
                result.findings.append(Finding(f"{what}, {state}", figure.median, unit, at_most=aim))
    return result


def metrics(bench: Bench) -> Result:
    """The same server with and without the figures it keeps for Prometheus."""
    result = Result("metrics", "Cost of the figures at /metrics: with and without, trivial model, 16 clients")
    with ExitStack() as stack:
        servers = bench.start(stack, [OURS, WITHOUT_METRICS], "trivial", result)
        for server in servers:
            load(server, 16, 1)

        def measure(server: Server) -> None:
            before = cpu_seconds(server.process.pid)
            seen = load(server, 16, bench.seconds)
            spent = cpu_seconds(server.process.pid) - before
            result.add(server.name, COST, " µs", spent / seen.requests * 1e6)
            result.add(server.name, RATE, "/s", seen.rate)

        for _ in range(2):  # twice the rounds: the difference is small
            bench.in_turn(servers, lambda server: server.name, measure)
        for server in servers:
            if _counts(server) is not (server.name == OURS.name):
                raise RuntimeError(
                    f"{server.name}: /metrics does not show what it should; is the comparison right?"
                )
    if (ratio := result.ratio(OURS.name, WITHOUT_METRICS.name, COST)) is not None:
        result.findings.append(Finding("of the web process' time", (ratio - 1) * 100, " %", at_most=2))
    if (ratio := result.ratio(WITHOUT_METRICS.name, OURS.name, RATE)) is not None:
        result.findings.append(Finding("of the requests a second", (ratio - 1) * 100, " %"))
    return result


def _counts(server: Server) -> bool:
    """Whether its figures say that there were predictions."""
    for line in server.get("/metrics").decode().splitlines():
        if line.startswith("label_studio_ml_predicted_tasks_total"):
            return float(line.split()[-1]) > 0
    return False
