"""Requests a second of our server, of its upper limit and of its peers, with the same model behind each."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

from ..contenders import BARE, BATCHING_PEERS, OURS, PEERS, Contender, Server
from ..load import load
from ..peers import OURS_WITH_MODELS
from ..results import Bench, Finding, Result

RATE, TIME = "requests a second", "time of a request, p50"


def trivial(bench: Bench) -> Result:
    """One task a request, a model that costs nothing, 16 clients."""
    result = Result("trivial", "One task a request, a trivial model, 16 clients")
    contenders = [BARE, OURS, *(PEERS if bench.peers else ())]
    _throughput(bench, result, contenders, "trivial", clients=16)
    _against(result, BARE.name, 0.6)
    aims = {"LitServe": 15.0, "BentoML": 20.0, "label-studio-ml 1.0.9": 5.0, "MLServer": None}
    for peer in PEERS:
        _against(result, peer.name, aims[peer.name])
    return result


def tfidf(bench: Bench) -> Result:
    """TF-IDF and logistic regression of scikit-learn, 32 clients, the peers batching."""
    return _real(bench, "tfidf", "TF-IDF and logistic regression (scikit-learn), 32 clients, batching on", OURS)


def cnn(bench: Bench) -> Result:
    """A small convolutional network of PyTorch on the processor, 32 clients, the peers batching."""
    ours = OURS.using(environment=OURS_WITH_MODELS)
    return _real(bench, "cnn", "A small CNN (PyTorch, one thread), 32 clients, batching on", ours)


def _real(bench: Bench, model: str, title: str, ours: Contender) -> Result:
    result = Result(model, title)
    _throughput(bench, result, [ours, *(BATCHING_PEERS if bench.peers else ())], model, clients=32)
    for peer in BATCHING_PEERS:
        _against(result, peer.name, 1.0)
    return result


def _throughput(bench: Bench, result: Result, contenders: Sequence[Contender], model: str, clients: int) -> None:
    with ExitStack() as stack:
        servers = bench.start(stack, contenders, model, result)
        for server in servers:
            load(server, clients, 1)  # not counted: caches and connections warm up

        def measure(server: Server) -> None:
            seen = load(server, clients, bench.seconds)
            result.add(server.name, RATE, "/s", seen.rate)
            result.add(server.name, TIME, " ms", seen.p50)
            if seen.failed:
                result.notes.append(f"{server.name}: {seen.why}")

        bench.in_turn(servers, lambda server: server.name, measure)
        for server in servers:
            server.check()


def _against(result: Result, other: str, aim: float | None) -> None:
    ratio = result.ratio(OURS.name, other, RATE)
    if ratio is not None:
        result.findings.append(Finding(f"ours against {other}", ratio, "×", at_least=aim))
