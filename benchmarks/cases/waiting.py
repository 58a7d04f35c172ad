"""How long a single client waits, and what batching buys when many do."""

from __future__ import annotations

import statistics
import time
from contextlib import ExitStack

from .. import payloads
from ..contenders import BARE, OURS, Server
from ..load import load
from ..models import work
from ..results import Bench, Finding, Result

RATE, ALONE = "requests a second, 32 clients", "time of a request, one client alone, p50"


def overhead(bench: Bench) -> Result:
    """One client, a model that costs nothing: the time that is ours."""
    result = Result("overhead", "One client, a trivial model: what the server adds")
    with ExitStack() as stack:
        servers = bench.start(stack, [BARE, OURS], "trivial", result)

        def measure(server: Server) -> None:
            result.add(server.name, "time of a request, p50", " ms", load(server, 1, bench.seconds).p50)

        for server in servers:
            load(server, 1, 1)
        bench.in_turn(servers, lambda server: server.name, measure)
    own = _model_milliseconds("trivial")
    for server in servers:
        figure = result.find(server.name, "time of a request, p50")
        if figure:
            aim = 0.4 if server.name == OURS.name else None
            result.findings.append(
                Finding(f"{server.name}, above the model's own time", figure.median - own, " ms", at_most=aim)
            )
    return result


def batching(bench: Bench) -> Result:
    """A device that takes 20 ms a call and 0.2 ms a task, one call at a time: natural batching, and no waiting."""
    result = Result("batching", "A model of 20 ms a call + 0.2 ms a task, calls one at a time")
    one_by_one = OURS.using("--max-batch-size", "1", name="ours, one request at a time")
    with ExitStack() as stack:
        servers = bench.start(stack, [OURS, one_by_one], "device", result)

        def measure(server: Server) -> None:
            result.add(server.name, RATE, "/s", load(server, 32, bench.seconds).rate)
            if server.name == OURS.name:
                result.add(server.name, ALONE, " ms", load(server, 1, bench.seconds).p50)

        bench.in_turn(servers, lambda server: server.name, measure)
    ratio, alone = result.ratio(OURS.name, one_by_one.name, RATE), result.find(OURS.name, ALONE)
    if ratio is not None:
        result.findings.append(Finding("32 clients, against one request at a time", ratio, "×", at_least=15))
    if alone is not None:
        own = _model_milliseconds("device")
        # The device sleeps, and the clock of a sleep is coarse: what the function takes here is what counts.
        result.findings.append(
            Finding("one client alone waits beyond the model's own time", alone.median - own, " ms", at_most=1.0)
        )
    return result


def _model_milliseconds(model: str) -> float:
    """What one task costs when the model's function is simply called."""
    predict, tasks = work.load(model), [payloads.task(model, payloads.FIRST)]
    taken = []
    for _ in range(100):
        started = time.perf_counter()
        predict(tasks)
        taken.append((time.perf_counter() - started) * 1e3)
    return statistics.median(taken)
