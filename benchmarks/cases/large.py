"""One request of 10 000 tasks: how fast, how much memory, and what an annotator's click waits meanwhile."""

from __future__ import annotations

import random
import statistics
import threading
import time
from contextlib import ExitStack

from .. import payloads
from ..contenders import BARE, OURS, Server
from ..models import work
from ..processes import peak, reset_peak, resident, workers
from ..results import Bench, Finding, Result

TASKS = 10_000
CHUNK = 64
"""Tasks in one call, as `--max-batch-size` has it by default."""

RATE = "tasks a second, tasks as Label Studio sends them"
SHORT_RATE = "tasks a second, tasks of an id and a text"
MEMORY = "more memory at the peak, as a multiple of the body"
CLICK = "time of a click during the batch"


def large(bench: Bench) -> Result:
    """A request of 10 000 tasks of the trivial model."""
    result = Result("large", "One request of 10 000 tasks, a trivial model")
    tasks = [payloads.task("trivial", payloads.FIRST + number) for number in range(TASKS)]
    body = payloads.label_studio(tasks)
    short = payloads.label_studio([{"id": task["id"], "data": {"text": f"text {task['id']}"}} for task in tasks])
    result.notes.append(
        f"The body has {len(body) / 2**20:.1f} MB, with the short tasks {len(short) / 2**20:.1f} MB."
    )
    with ExitStack() as stack:
        servers = bench.start(stack, [BARE, OURS], "trivial", result)
        before: dict[int, float] = {}
        for server in servers:
            for pid in (server.process.pid, *workers(server.process.pid)):
                before[pid] = resident(pid)
                reset_peak(pid)

        def measure(server: Server) -> None:
            result.add(server.name, RATE, "/s", TASKS / _seconds(server, body))
            parts = {server.name: [server.process.pid], f"{server.name}, worker": workers(server.process.pid)}
            for part, pids in parts.items():
                for pid in pids:
                    more = (peak(pid) - before.get(pid, 0.0)) * 2**20 / len(body)
                    result.add(part, MEMORY, "×", more)
            result.add(server.name, SHORT_RATE, "/s", TASKS / _seconds(server, short))

        bench.in_turn(servers, lambda server: server.name, measure)
    for what in (RATE, SHORT_RATE):
        if rate := result.find(OURS.name, what):
            result.findings.append(Finding(what, rate.median, "/s", at_least=200_000))
        if (ratio := result.ratio(OURS.name, BARE.name, what)) is not None:
            result.findings.append(Finding(f"against the bare function: {what}", ratio, "×"))
    for process, who in (("web process", OURS.name), ("worker", f"{OURS.name}, worker")):
        if figure := result.find(who, MEMORY):
            most = max(figure.values)
            result.findings.append(Finding(f"more memory of the {process}, times the body", most, "×", at_most=8))
    return result


def _seconds(server: Server, body: bytes) -> float:
    """How long one request takes whose reply must have a prediction for each task."""
    started = time.perf_counter()
    status, reply = server.post(body)
    taken = time.perf_counter() - started
    found = payloads.answered(reply) if status == 200 else []
    if len(found) != TASKS or not all(found):
        raise RuntimeError(f"{server.name} answered {status} with {sum(map(bool, found))} predictions")
    return taken


def click(bench: Bench) -> Result:
    """Interactive requests while the only worker is busy with 10 000 tasks of 0.5 ms each."""
    result = Result("click", f"A click during a batch of 10 000 tasks of {work.STEADY_SECONDS * 1e3:g} ms each")
    contender = OURS.using("--max-batch-size", str(CHUNK))
    tasks = [payloads.task("steady", payloads.FIRST + number) for number in range(TASKS)]
    body = payloads.label_studio(tasks)
    clicks: list[float] = []
    with ExitStack() as stack:
        for server in bench.start(stack, [contender], "steady", result):
            for done in range(min(bench.rounds, 3)):
                bench.say(f"round {done + 1} of {min(bench.rounds, 3)}: clicks")
                found = _clicks_during(server, body, seed=done)
                clicks += found
                result.add(server.name, f"{CLICK}, p50", " ms", statistics.median(found))
                result.add(server.name, f"{CLICK}, longest", " ms", max(found))
    if clicks:
        chunk = _chunk_milliseconds(tasks[:CHUNK])
        result.notes.append(f"{len(clicks)} clicks; one chunk of {CHUNK} tasks takes {chunk:.1f} ms.")
        late = statistics.quantiles(clicks, n=100)[98]
        result.findings.append(
            Finding("p99 of a click, beyond the time of one chunk", late - chunk, " ms", at_most=5)
        )
        result.findings.append(Finding("longest click", max(clicks), " ms"))
    return result


def _clicks_during(server: Server, body: bytes, seed: int) -> list[float]:
    """Milliseconds of each click, from the start of the batch to its end."""
    outcome: list[int] = []

    def batch() -> None:
        status, reply = server.post(body)
        outcome.append(status if status != 200 else sum(map(bool, payloads.answered(reply))))

    thread = threading.Thread(target=batch)
    thread.start()
    rng, taken = random.Random(seed), list[float]()
    time.sleep(0.2)  # the batch is on its way
    while thread.is_alive():
        number = payloads.FIRST + TASKS + len(taken)
        context = {"result": [{"id": str(number), "type": "choices", "value": {"choices": ["Positive"]}}]}
        request = payloads.label_studio([payloads.task("steady", number)], context)
        started = time.perf_counter()
        status, reply = server.post(request)
        spent = (time.perf_counter() - started) * 1e3
        if status != 200 or not payloads.answered(reply)[0]:
            raise RuntimeError(f"a click was answered with {status}: {reply[:200].decode(errors='replace')}")
        if thread.is_alive():
            taken.append(spent)
        time.sleep(rng.uniform(0, 2 * CHUNK * work.STEADY_SECONDS))  # clicks meet chunks at any moment
    thread.join()
    if outcome != [TASKS]:
        raise RuntimeError(f"the batch was answered with {outcome} instead of {TASKS} predictions")
    return taken


def _chunk_milliseconds(tasks: list[work.Task]) -> float:
    predict = work.load("steady")
    taken = []
    for _ in range(10):
        started = time.perf_counter()
        predict(tasks)
        taken.append((time.perf_counter() - started) * 1e3)
    return statistics.median(taken)
