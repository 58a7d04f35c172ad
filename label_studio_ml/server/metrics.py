"""Figures for Prometheus at `/metrics`. Labels take few values, whatever a client sends.

What is counted for every request is kept in plain numbers, which cost less than the library's own counters, and
turned into metrics only when somebody asks.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate

from prometheus_client import CollectorRegistry, Counter, Gauge, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from .. import __version__
from ..processes.messages import REASONS, Problem
from ..wire.replies import ServedProject

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 100.0)
_TASKS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 1024.0)
_PREFIX = "label_studio_ml"


class Histogram:
    """Counts of values by size. For one thread."""

    __slots__ = ("_bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        """Count a value."""
        self.counts[bisect_left(self._bounds, value)] += 1
        self.total += value

    def add(self, other: Histogram) -> None:
        """Count everything that another one has counted."""
        self.counts = [mine + its for mine, its in zip(self.counts, other.counts, strict=True)]
        self.total += other.total

    def add_to(self, metric: HistogramMetricFamily, labels: list[str]) -> None:
        """Give what was counted to a metric."""
        names = [*map(str, self._bounds), "+Inf"]
        metric.add_metric(labels, list(zip(names, accumulate(self.counts), strict=True)), self.total)


def _of_statuses() -> dict[int, Histogram]:
    return defaultdict(lambda: Histogram(_SECONDS))


class _Requests(Collector):
    """What is counted for every request and every call of predict()."""

    def __init__(self) -> None:
        self.answered: dict[tuple[str, str], dict[int, Histogram]] = defaultdict(_of_statuses)
        self.waited = Histogram(_SECONDS)
        self.call_seconds = Histogram(_SECONDS)
        self.batch = Histogram(_TASKS)
        self.merged = 0

    def collect(self) -> Iterable[Metric]:
        """Called by the library when somebody asks for the figures."""
        yield from self._of_http()
        yield from self._of_predict()

    def _of_http(self) -> Iterator[Metric]:
        requests = CounterMetricFamily(
            f"{_PREFIX}_http_requests", "Requests answered.", labels=["method", "path", "status"]
        )
        of_paths: dict[str, Histogram] = {}
        for (method, path), statuses in self.answered.items():
            for status, histogram in statuses.items():
                requests.add_metric([method, path, str(status)], sum(histogram.counts))
                of_paths.setdefault(path, Histogram(_SECONDS)).add(histogram)
        yield requests
        seconds = HistogramMetricFamily(
            f"{_PREFIX}_http_request_seconds", "Time to answer a request.", labels=["path"]
        )
        for path, histogram in of_paths.items():
            histogram.add_to(seconds, [path])
        yield seconds

    def _of_predict(self) -> Iterator[Metric]:
        for name, text, histogram in (
            ("predict_queue_seconds", "Time that a request waited for a worker.", self.waited),
            ("predict_call_seconds", "Time in predict().", self.call_seconds),
            ("predict_batch_tasks", "Tasks in a call of predict().", self.batch),
        ):
            metric = HistogramMetricFamily(f"{_PREFIX}_{name}", text)
            histogram.add_to(metric, [])
            yield metric
        calls = sum(self.batch.counts)
        for name, text, value in (
            ("predict_calls", "Calls of predict().", calls),
            ("predicted_tasks", "Tasks given to predict().", self.batch.total),
            ("predict_merged_requests", "Requests that shared a call with another.", self.merged),
        ):
            yield CounterMetricFamily(f"{_PREFIX}_{name}", text, value=value)


class Gauges(Collector):
    """What is looked up only when somebody asks."""

    def __init__(
        self,
        queued_tasks: Callable[[], int],
        ready: Callable[[], bool],
        memory: Callable[[], dict[str, int]],
        versions: Callable[[], list[ServedProject]],
    ) -> None:
        """Prepare.

        Args:
            queued_tasks: how many tasks wait for a worker.
            ready: whether the model is loaded.
            memory: bytes of memory of each predict worker, by its number.
            versions: the projects, each with the version that predicts for it.
        """
        self._queued_tasks, self._ready, self._memory, self._versions = queued_tasks, ready, memory, versions

    def collect(self) -> Iterable[Metric]:
        """Called by the library when somebody asks for the figures."""
        yield GaugeMetricFamily(f"{_PREFIX}_queued_tasks", "Tasks waiting for a worker.", self._queued_tasks())
        yield GaugeMetricFamily(f"{_PREFIX}_model_ready", "1 when the model is loaded.", float(self._ready()))
        memory = GaugeMetricFamily(
            f"{_PREFIX}_worker_resident_memory_bytes", "Memory of a predict worker.", labels=["worker"]
        )
        for worker, size in self._memory().items():
            memory.add_metric([worker], size)
        yield memory
        versions = GaugeMetricFamily(
            f"{_PREFIX}_serving_version_info", "The version that serves a project.", labels=["project", "version"]
        )
        for served in self._versions():
            versions.add_metric([served.project, served.model_version], 1)
        yield versions


class Metrics:
    """The figures of one server."""

    def __init__(self) -> None:
        self._requests = _Requests()
        self.waited = self._requests.waited.observe
        """A request waited so many seconds for a worker."""
        self.registry = registry = CollectorRegistry()
        registry.register(self._requests)
        ProcessCollector(registry=registry)
        self.problems = Counter(
            f"{_PREFIX}_prediction_problems",
            "Tasks that got no prediction.",
            ["kind", "reason"],
            registry=registry,
        )
        self.events = Counter(f"{_PREFIX}_events", "Events stored.", registry=registry)
        self.jobs = Counter(f"{_PREFIX}_jobs", "Training jobs that ended.", ["state"], registry=registry)
        self.restarts = Counter(
            f"{_PREFIX}_worker_restarts", "Predict workers that had to be replaced.", registry=registry
        )
        build = Gauge(f"{_PREFIX}_build_info", "The version of this program.", ["version"], registry=registry)
        build.labels(__version__).set(1)

    def include(self, gauges: Gauges) -> None:
        """Give these, too, whenever somebody asks for the figures."""
        self.registry.register(gauges)

    def by_status(self, method: str, path: str) -> dict[int, Histogram]:
        """What counts the seconds of one call's requests, by the status of the reply."""
        return self._requests.answered[method, path]

    def predicted(self, tasks: int, requests: int, seconds: float) -> None:
        """One call of predict() was made."""
        self._requests.batch.observe(tasks)
        self._requests.call_seconds.observe(seconds)
        if requests > 1:
            self._requests.merged += requests

    def problem(self, problem: Problem) -> None:
        """A task got no prediction."""
        reason = problem.reason if problem.reason in REASONS else "other"
        self.problems.labels(problem.kind, reason).inc()

    def text(self) -> bytes:
        """The figures in Prometheus' text format."""
        return generate_latest(self.registry)
