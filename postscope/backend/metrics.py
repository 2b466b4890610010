"""Figures for Prometheus. Each app has a registry of its own; nothing is kept in the module."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import structlog
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
    start_http_server,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from postscope.backend.work import Backlog

log = structlog.get_logger(__name__)

ReadBacklog = Callable[[], list[Backlog]]


@dataclass(frozen=True, slots=True)
class HeadFigures:
    """How a live head does; None where it was not measured yet."""

    head: str
    served: int
    embedding: float | None
    score: float | None
    precision: float | None


ReadHeads = Callable[[], Sequence[HeadFigures]]

_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_REQUEST_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_SEARCH_SECONDS: Final = (0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.2, 0.5, 1.0, 2.5)
_BATCH_SECONDS: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)


class Metrics:
    """What a process counts. Safe to use from any thread."""

    content_type: Final = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self.registry)
        self._requests = self._histogram(
            "postscope_request_seconds",
            "Time from a request to the end of its answer",
            _REQUEST_SECONDS,
            "route",
            "method",
            "status",
        )
        self._accepted = self._counter("postscope_posts_accepted", "Posts taken in, new and changed")
        self._done = self._counter("postscope_work_done", "Work finished; of stage index: posts encoded", "stage")
        self._failed = self._counter("postscope_work_failed", "Attempts at work that failed", "stage")
        self._batches = self._histogram("postscope_batch_seconds", "Time of one batch", _BATCH_SECONDS, "stage")
        self._runs = self._counter("postscope_runs_ended", "Long runs that ended, by how", "kind", "state")
        self._searches = self._histogram("postscope_search_seconds", "Time of a search", _SEARCH_SECONDS, "mode")
        self._unlimited = self._counter(
            "postscope_rate_limit_unavailable", "Requests let through because the memory of the limits was down"
        )

    def request(self, route: str, method: str, status: int, seconds: float) -> None:
        """A request was answered. ``route`` is the template, never the path: paths have no end."""
        known = method if method in _METHODS else "other"
        self._requests.labels(route, known, str(status)).observe(seconds)

    def run_ended(self, kind: str, state: str) -> None:
        """A long run was done, failed, cancelled or handed back (waiting)."""
        self._runs.labels(kind, state).inc()

    def posts_accepted(self, count: int) -> None:
        """Posts were taken in, new or changed."""
        self._accepted.inc(count)

    def work_done(self, stage: str, count: int, seconds: float) -> None:
        """A batch of a stage finished ``count`` posts in this time."""
        self._done.labels(stage).inc(count)
        self._batches.labels(stage).observe(seconds)

    def work_failed(self, stage: str, count: int) -> None:
        """So many attempts of a stage failed."""
        self._failed.labels(stage).inc(count)

    def observe_search(self, mode: str, seconds: float) -> None:
        """A search of this mode took so long."""
        self._searches.labels(mode).observe(seconds)

    def rate_limit_unavailable(self) -> None:
        """A request was let through uncounted."""
        self._unlimited.inc()

    def watch_backlog(self, read: ReadBacklog, clock: Callable[[], datetime]) -> None:
        """Read the backlog at each scrape."""
        self.registry.register(_BacklogCollector(read, clock))

    def watch_heads(self, read: ReadHeads) -> None:
        """Read how the live heads do at each scrape."""
        self.registry.register(_HeadCollector(read))

    def exposition(self) -> bytes:
        """All figures in the text format of Prometheus."""
        return generate_latest(self.registry)

    def serve(self, port: int, host: str = "127.0.0.1") -> Callable[[], None]:
        """Answer scrapes on a port of its own, for a process without the API.

        Returns:
            What stops it.
        """
        server, thread = start_http_server(port, addr=host, registry=self.registry)

        def stop() -> None:
            server.shutdown()
            server.server_close()
            thread.join()

        return stop

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(name, text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(name, text, labels, buckets=buckets, registry=self.registry)


class _BacklogCollector(Collector):
    """Asks at the scrape: a figure that is kept would be wrong as soon as another process works."""

    def __init__(self, read: ReadBacklog, clock: Callable[[], datetime]) -> None:
        self._read = read
        self._clock = clock

    def describe(self) -> Iterable[GaugeMetricFamily]:
        return []  # else registering would ask the database

    def collect(self) -> Iterable[GaugeMetricFamily]:
        readable = GaugeMetricFamily("postscope_backlog_readable", "Whether the work table could be read: 1 or 0")
        try:
            rows = self._read()
        except Exception as error:  # a scrape has other figures to give
            log.warning("backlog_not_read", reason=type(error).__name__)
            readable.add_metric([], 0)
            return [readable]
        readable.add_metric([], 1)
        amount = GaugeMetricFamily("postscope_backlog", "Rows of the work table", labels=["stage", "state"])
        age = GaugeMetricFamily("postscope_backlog_age_seconds", "Age of the oldest unfinished work", labels=["stage"])
        now = self._clock()
        for row in rows:
            for state, count in (("waiting", row.waiting), ("running", row.running), ("failed", row.failed)):
                amount.add_metric([row.stage, state], count)
            age.add_metric([row.stage], (now - row.oldest).total_seconds() if row.oldest else 0.0)
        return [readable, amount, age]


class _HeadCollector(Collector):
    """Drift, agreement and use of the live heads, as they were measured last."""

    def __init__(self, read: ReadHeads) -> None:
        self._read = read

    def describe(self) -> Iterable[GaugeMetricFamily]:
        return []

    def collect(self) -> Iterable[GaugeMetricFamily]:
        try:
            rows = self._read()
        except Exception as error:  # a scrape has other figures to give
            log.warning("heads_not_read", reason=type(error).__name__)
            return []
        drift = GaugeMetricFamily(
            "postscope_head_drift", "Population stability index against the training window", labels=["head", "of"]
        )
        precision = GaugeMetricFamily("postscope_head_precision", "Share of corrections that agree", labels=["head"])
        served = GaugeMetricFamily("postscope_head_served", "Predictions shown of the live version", labels=["head"])
        for row in rows:
            served.add_metric([row.head], row.served)
            if row.embedding is not None and row.score is not None:
                drift.add_metric([row.head, "embeddings"], row.embedding)
                drift.add_metric([row.head, "scores"], row.score)
            if row.precision is not None:
                precision.add_metric([row.head], row.precision)
        return [drift, precision, served]
