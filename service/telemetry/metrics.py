"""What Prometheus scrapes."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Literal, get_args

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from storage.base import Status

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Outcome = Literal["hit", "miss", "collapsed"]
"""How an answer came about: stored before, worked out for this call, or for another one."""

METHODS = frozenset({"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"})
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Metrics:
    """Counters of one process, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        # Finding a child by its labels takes longer than counting with it.
        self._by_request: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        self._requests = Counter(
            "abstracts_requests", "Requests.", ("method", "route", "status"), registry=self.registry
        )
        self._seconds = Histogram(
            "abstracts_request_seconds", "Time to answer.", ("route",), registry=self.registry, buckets=_SECONDS
        )
        answers = Counter("abstracts_answers", "Predictions by origin.", ("outcome",), registry=self.registry)
        self._by_outcome = {outcome: answers.labels(outcome) for outcome in get_args(Outcome)}
        self._papers = Counter("abstracts_papers", "PDFs by what became of them.", ("outcome",), registry=self.registry)
        self._model_seconds = Histogram(
            "abstracts_model_seconds", "Time in the model.", registry=self.registry, buckets=_SECONDS
        )
        self._queue_seconds = Histogram(
            "abstracts_queue_seconds", "Time waiting for the model.", registry=self.registry, buckets=_SECONDS
        )

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Counts a request that has been answered. `route` is a rule, never a path: paths have no bound.

        Nor have methods: those that HTTP does not know count as `other`.
        """
        if method not in METHODS:
            method = "other"
        children = self._by_request.get((method, route, status))
        if children is None:
            children = self._requests.labels(method, route, status), self._seconds.labels(route)
            self._by_request[method, route, status] = children
        children[0].inc()
        children[1].observe(seconds)

    def answer(self, outcome: Outcome, timings: Mapping[str, float]) -> None:
        """Counts a prediction; `timings` of a run of the model, in seconds, are observed."""
        self._by_outcome[outcome].inc()
        if outcome == "miss":
            self._model_seconds.observe(timings.get("model", 0.0))
            self._queue_seconds.observe(timings.get("queue", 0.0))

    def paper(self, outcome: str) -> None:
        """Counts a PDF: "read", or the slug of its problem."""
        self._papers.labels(outcome).inc()

    def watch_store(self, status: Callable[[], Status]) -> None:
        """Asks for the store's own count and state at each scrape."""
        self.registry.register(_Store(status))

    def watch_usage(self, lost: Callable[[], int]) -> None:
        """Asks at each scrape how many counts of usage are lost."""
        self.registry.register(_Usage(lost))

    def watch_server(self, ended: Mapping[str, int], lost_lines: Callable[[], int]) -> None:
        """Reads at each scrape what the server ended without the application, by reason, and how much log is lost."""
        self.registry.register(_Server(ended, lost_lines))

    def exposition(self) -> bytes:
        """Everything in the text format."""
        return generate_latest(self.registry)


class _Store(Collector):
    def __init__(self, status: Callable[[], Status]) -> None:
        self._status = status

    def collect(self) -> Iterator[Metric]:
        status = self._status()
        errors = CounterMetricFamily("abstracts_store_errors", "Failed store operations.", labels=["kind"])
        for kind, number in status.errors.items():
            errors.add_metric([kind], number)
        yield errors
        yield GaugeMetricFamily("abstracts_store_available", "0 while a breaker is open.", value=not status.out)

    def describe(self) -> Iterable[Metric]:
        return []


class _Usage(Collector):
    def __init__(self, lost: Callable[[], int]) -> None:
        self._lost = lost

    def collect(self) -> Iterator[Metric]:
        text = "Counts of API keys' usage that found no room in memory while the store was out."
        yield CounterMetricFamily("abstracts_usage_lost", text, value=self._lost())

    def describe(self) -> Iterable[Metric]:
        return []


class _Server(Collector):
    def __init__(self, ended: Mapping[str, int], lost_lines: Callable[[], int]) -> None:
        self._ended, self._lost_lines = ended, lost_lines

    def collect(self) -> Iterator[Metric]:
        ended = CounterMetricFamily(
            "abstracts_server_ended", "Requests and connections that the server itself ended.", labels=["reason"]
        )
        for reason, number in tuple(self._ended.items()):
            ended.add_metric([reason], number)
        yield ended
        yield CounterMetricFamily(
            "abstracts_log_lines_lost", "Log lines that found no reader.", value=self._lost_lines()
        )

    def describe(self) -> Iterable[Metric]:
        return []
