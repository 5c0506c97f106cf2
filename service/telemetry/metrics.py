"""What Prometheus scrapes. docs/metrics.md lists it."""

import threading
from collections.abc import Callable, Mapping
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest

from service.telemetry.shared import registry_of_all
from storage.base import Status

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Outcome = Literal["hit", "miss", "collapsed"]
"""How an answer came about: stored before, worked out for this call, or for another one."""

METHODS = frozenset({"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"})
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

Mode = Literal["livesum", "livemin", "livemax", "mostrecent"]
"""What a gauge is for all processes of a server: the sum of those that run, their least or greatest, the latest."""


class Metrics:
    """What a process counts, together with all others of its server where there are more (service.telemetry.shared)."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        self._watched: list[Callable[[], None]] = []
        self._watching = threading.Lock()
        # Finding a child by its labels takes longer than counting with it.
        self._by_request: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        self._by_outcome: dict[Outcome, Counter] = {}
        self._requests = self.counter("abstracts_requests", "Requests.", ("method", "route", "status"))
        self._seconds = self._histogram("abstracts_request_seconds", "Time to answer.", ("route",))
        self._answers = self.counter("abstracts_answers", "Predictions by origin.", ("outcome",))
        self._papers = self.counter("abstracts_papers", "PDFs by what became of them.", ("outcome",))
        self._model_seconds = self._histogram("abstracts_model_seconds", "Time in the model.")
        self._queue_seconds = self._histogram("abstracts_queue_seconds", "Time waiting for the model.")
        self._ended = self.counter(
            "abstracts_server_ended", "Requests and connections that the server itself ended.", ("reason",)
        )
        self._workers = self.gauge("abstracts_workers", "Processes that count.", "livesum")
        self._workers.set(1)

    def counter(self, name: str, text: str, labels: tuple[str, ...] = ()) -> Counter:
        """A new counter. Each metric is made once for each Metrics."""
        return Counter(name, text, labels, registry=self.registry)

    def gauge(self, name: str, text: str, mode: Mode, labels: tuple[str, ...] = ()) -> Gauge:
        """A new gauge."""
        return Gauge(name, text, labels, registry=self.registry, multiprocess_mode=mode)

    def _histogram(self, name: str, text: str, labels: tuple[str, ...] = ()) -> Histogram:
        return Histogram(name, text, labels, registry=self.registry, buckets=_SECONDS)

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
        child = self._by_outcome.get(outcome)
        if child is None:
            child = self._by_outcome[outcome] = self._answers.labels(outcome)
        child.inc()
        if outcome == "miss":
            self._model_seconds.observe(timings.get("model", 0.0))
            self._queue_seconds.observe(timings.get("queue", 0.0))

    def paper(self, outcome: str) -> None:
        """Counts a PDF: "read", or the slug of its problem."""
        self._papers.labels(outcome).inc()

    def ended(self, reason: str) -> None:
        """Counts what the server ended without the application."""
        self._ended.labels(reason).inc()

    def watch_store(self, status: Callable[[], Status]) -> None:
        """Shows how the store fares."""
        errors = Followed(self.counter("abstracts_store_errors", "Failed store operations.", ("kind",)))
        available = self.gauge("abstracts_store_available", "0 while a breaker is open.", "livemin")

        def look() -> None:
            now = status()
            for kind, number in now.errors.items():
                errors.follow(number, kind)
            available.set(not now.out)

        self.watch(look)

    def watch_usage(self, lost: Callable[[], int]) -> None:
        """Shows how many counts of usage are lost."""
        text = "Counts of API keys' usage that found no room in memory while the store was out."
        counter = Followed(self.counter("abstracts_usage_lost", text))
        self.watch(lambda: counter.follow(lost()))

    def watch_log(self, lost_lines: Callable[[], int]) -> None:
        """Shows how many log lines are lost."""
        lost = Followed(self.counter("abstracts_log_lines_lost", "Log lines that found no reader."))
        self.watch(lambda: lost.follow(lost_lines()))

    def watch(self, look: Callable[[], None]) -> None:
        """Has `look` called at each scrape, and about once a second: it takes over what is counted elsewhere.

        It must not wait, nor raise.
        """
        self._watched.append(look)

    def look(self) -> None:
        """Takes over what is counted elsewhere."""
        with self._watching:
            for look in self._watched:
                look()

    def exposition(self) -> bytes:
        """Everything, of all processes of this server, in the text format."""
        self.look()
        return generate_latest(registry_of_all() or self.registry)


class Followed:
    """A counter that takes over what is counted elsewhere in this process."""

    def __init__(self, counter: Counter) -> None:
        self._counter = counter
        self._seen: dict[tuple[str, ...], float] = {}

    def follow(self, number: float, *labels: str) -> None:
        """Counts by how much the number has grown since the last time."""
        child = self._counter.labels(*labels) if labels else self._counter
        child.inc(max(0.0, number - self._seen.get(labels, 0.0)))
        self._seen[labels] = number
