"""What others notice when workers are killed, connections idle, or a client is slow."""

from __future__ import annotations

import contextlib
import http.client
import os
import random
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

from .. import payloads
from ..contenders import OURS, Server
from ..load import Load, load
from ..processes import cpu_seconds, workers
from ..results import Bench, Finding, Result

WORKERS, IDLE = 4, 500
CALM, KILLED, CROWDED = "undisturbed", "a worker killed every second", f"{IDLE} idle connections and a slow client"
TIME, RATE = "time of a request, p99", "requests a second"


def killed(bench: Bench) -> Result:
    """Four workers with a model of 5 ms a call, one of them killed with SIGKILL every second."""
    result = Result(
        "killed", f"{WORKERS} workers, a model of 5 ms a call, 8 clients; one worker killed every second"
    )
    seconds = max(bench.seconds, 5.0)
    failed = sent = 0
    with ExitStack() as stack:
        contender = OURS.using("--workers", str(WORKERS))
        for server in bench.start(stack, [contender], "short", result):
            _all_there(server)

            def measure(state: str, server: Server = server) -> None:
                nonlocal failed, sent
                if state == CALM:
                    _all_there(server)
                    seen = load(server, 8, seconds, look=True)
                else:
                    with _killing(server) as killings:
                        seen = load(server, 8, seconds, look=True)
                    result.add(state, "workers killed", "", len(killings))
                failed, sent = failed + seen.failed, sent + seen.requests
                _note(result, state, seen)

            bench.in_turn([CALM, KILLED], str, measure)
    if sent:
        result.notes.append(f"{sent} requests were sent.")
        result.findings.append(Finding("failed requests", failed, "", at_most=0))
    if (ratio := result.ratio(KILLED, CALM, TIME)) is not None:
        result.findings.append(Finding("p99 against undisturbed", ratio, "×", at_most=3))
    return result


def crowded(bench: Bench) -> Result:
    """500 connections that do nothing and a client that sends its body byte by byte, beside 8 clients."""
    result = Result("crowded", f"{IDLE} idle connections and a client that trickles its body, beside 8 clients")
    failed = 0
    with ExitStack() as stack:
        for server in bench.start(stack, [OURS], "trivial", result):
            load(server, 8, 1)

            def measure(state: str, server: Server = server) -> None:
                nonlocal failed
                if state == CALM:
                    seen = load(server, 8, bench.seconds, look=True)
                else:
                    with _crowd(server):
                        seen = load(server, 8, bench.seconds, look=True)
                failed += seen.failed
                _note(result, state, seen)

            bench.in_turn([CALM, CROWDED], str, measure)
    if (ratio := result.ratio(CROWDED, CALM, RATE)) is not None:
        result.findings.append(Finding("requests a second against undisturbed", ratio, "×", at_least=0.95))
        result.findings.append(Finding("failed requests", failed, "", at_most=0))
    if (ratio := result.ratio(CROWDED, CALM, TIME)) is not None:
        result.findings.append(Finding("p99 against undisturbed", ratio, "×", at_most=1.25))
    return result


def _note(result: Result, state: str, seen: Load) -> None:
    result.add(state, TIME, " ms", seen.p99)
    result.add(state, RATE, "/s", seen.rate)
    if seen.failed:
        result.notes.append(f"{state}: {seen.why}")


def _all_there(server: Server) -> None:
    """Wait until every worker runs and has loaded the model, which is when none uses the processor any more."""
    deadline, before = time.monotonic() + 60, -1.0
    while True:
        pids = workers(server.process.pid)
        now = sum(cpu_seconds(pid) for pid in pids)
        if len(pids) >= WORKERS and now == before:
            break
        if time.monotonic() > deadline:
            raise RuntimeError(f"{len(pids)} of {WORKERS} workers are running and {now:.1f} s were spent on them")
        before = now
        time.sleep(0.5)
    server.check()


@contextlib.contextmanager
def _killing(server: Server) -> Iterator[list[int]]:
    """Every second, one worker by SIGKILL; gives those that were."""
    over, killings, rng = threading.Event(), list[int](), random.Random(len(server.model))

    def kill() -> None:
        while not over.wait(1.0):
            if alive := workers(server.process.pid):
                victim = rng.choice(alive)
                with contextlib.suppress(ProcessLookupError):
                    os.kill(victim, signal.SIGKILL)
                    killings.append(victim)

    with _thread(kill, over):
        yield killings
    if not killings:
        raise RuntimeError("no worker was found that could be killed")


@contextlib.contextmanager
def _crowd(server: Server) -> Iterator[None]:
    """Idle connections, each of which has had one reply, and the slow client; they are still there at the end."""
    over = threading.Event()
    with ExitStack() as stack:
        slow = stack.enter_context(_connection(server))
        idle = [stack.enter_context(_connection(server)) for _ in range(IDLE)]
        for connection in idle:
            _ask_health(connection)
        body = payloads.label_studio([payloads.task("trivial", number) for number in range(1000)])
        head = f"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"

        def trickle() -> None:
            slow.sendall(head.encode() + b"Content-Type: application/json\r\n\r\n")
            for byte in body:
                slow.sendall(bytes([byte]))
                if over.wait(0.02):
                    return

        with _thread(trickle, over):
            yield
        for connection in idle:
            _ask_health(connection)
        slow.sendall(b" ")


@contextlib.contextmanager
def _thread(target: Callable[[], None], over: threading.Event) -> Iterator[None]:
    thread = threading.Thread(target=target)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _connection(server: Server) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=10)


def _ask_health(connection: socket.socket) -> None:
    connection.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
    reply = http.client.HTTPResponse(connection)
    reply.begin()
    reply.read()
    if reply.status != 200:
        raise RuntimeError(f"an idle connection was answered with {reply.status}")
