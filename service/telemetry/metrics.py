"""What Prometheus scrapes. docs/metrics.md lists it."""

import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Literal, NamedTuple, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest

from service import __version__
from service.telemetry.process import cpu_seconds, python_version, resident_bytes
from service.telemetry.shared import registry_of_all
from storage.base import Status

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Outcome = Literal["hit", "miss", "collapsed"]
"""How an answer came about: stored before, worked out for this call, or for another one."""

Source = Literal["memory", "store", "model"]
"""Where the prediction was found, `model` where it was not."""

Limit = Literal["ip", "key", "inference", "queue", "pdf", "jobs", "jobs-of-key"]
"""What is used up when something is refused: requests of an address and of a key, model runs of a key, places in the
queues of a model and of PDFs, open jobs of all and of a key."""

METHODS = frozenset({"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"})
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

Mode = Literal["livesum", "livemin", "livemax", "mostrecent"]
"""What a gauge is for all processes of a server: the sum of those that run, their least or greatest, the latest."""


class Described(NamedTuple):
    """A metric: its name as Prometheus has it, its kind, its labels and its meaning."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    labels: tuple[str, ...]
    text: str


class Metrics:
    """What a process counts, together with all others of its server where there are more (service.telemetry.shared)."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        self.described: list[Described] = []
        self._watched: list[Callable[[], None]] = []
        self._watching = threading.Lock()
        # Finding a child by its labels takes longer than counting with it.
        self._by_request: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        self._by_answer: dict[tuple[str, Outcome, Source], Counter] = {}
        self._requests = self.counter("abstracts_requests", "Requests.", ("method", "route", "status"))
        self._seconds = self._histogram("abstracts_request_seconds", "Time to answer.", ("route",))
        self._answers = self.counter(
            "abstracts_answers", "Predictions by how they came about.", ("model", "outcome", "source")
        )
        self._papers = self.counter("abstracts_papers", "PDFs by what became of them.", ("outcome",))
        self._pdf_seconds = self._histogram("abstracts_pdf_seconds", "Time to find the abstract in a PDF.")
        self._model_seconds = self._histogram("abstracts_model_seconds", "Time in the model, of a text.", ("model",))
        self._queue_seconds = self._histogram("abstracts_queue_seconds", "Time waiting for the model.", ("model",))
        self._load_seconds = self._histogram("abstracts_model_load_seconds", "Time to load a model.", ("model",))
        self._refusals = self.counter("abstracts_refusals", "Refusals by the limit that was reached.", ("limit",))
        for limit in get_args(Limit):
            self._refusals.labels(limit)
        self._chunks = self.counter("abstracts_chunks", "Chunks of jobs, worked off or given back.", ("outcome",))
        self._left = (
            self.gauge("abstracts_jobs_open", "Jobs in the store that are not over.", "mostrecent"),
            self.gauge("abstracts_chunks_waiting", "Chunks of jobs that nobody works on.", "mostrecent"),
            self.gauge("abstracts_chunks_held", "Chunks of jobs that are being worked on.", "mostrecent"),
        )
        self._connections = self.gauge("abstracts_connections", "Connections that are open.", "livesum")
        self._ended = self.counter(
            "abstracts_server_ended", "Requests and connections that the server itself ended.", ("reason",)
        )
        self.gauge("abstracts_workers", "Processes that count.", "livesum").set(1)
        about = self.gauge("abstracts_build_info", "What runs; always 1.", "livemax", ("version", "python"))
        about.labels(__version__, python_version()).set(1)
        self._watch_process()

    def counter(self, name: str, text: str, labels: tuple[str, ...] = ()) -> Counter:
        """A new counter, of which Prometheus gets the name with `_total`. Each metric is made once for each Metrics."""
        self.described.append(Described(f"{name}_total", "counter", labels, text))
        return Counter(name, text, labels, registry=self.registry)

    def gauge(self, name: str, text: str, mode: Mode, labels: tuple[str, ...] = ()) -> Gauge:
        """A new gauge."""
        self.described.append(Described(name, "gauge", labels, text))
        return Gauge(name, text, labels, registry=self.registry, multiprocess_mode=mode)

    def _histogram(self, name: str, text: str, labels: tuple[str, ...] = ()) -> Histogram:
        self.described.append(Described(name, "histogram", labels, text))
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

    def answer(self, model: str, outcome: Outcome, source: Source, timings: Mapping[str, float]) -> None:
        """Counts a prediction; `timings` of a run of the model for it, in seconds, are observed."""
        child = self._by_answer.get((model, outcome, source))
        if child is None:
            child = self._by_answer[model, outcome, source] = self._answers.labels(model, outcome, source)
        child.inc()
        if outcome == "miss" and "model" in timings:
            self._model_seconds.labels(model).observe(timings["model"])
            self._queue_seconds.labels(model).observe(timings.get("queue", 0.0))

    def paper(self, outcome: str, seconds: float) -> None:
        """Counts a PDF: "read", or the slug of its problem; what could not be read for want of a place took no time."""
        self._papers.labels(outcome).inc()
        if outcome == "pdf-busy":
            self.refused("pdf")
        else:
            self._pdf_seconds.observe(seconds)

    def refused(self, limit: Limit) -> None:
        """Counts a refusal."""
        self._refusals.labels(limit).inc()

    def load(self, model: str) -> AbstractContextManager[object]:
        """Around the loading of a model."""
        return self._load_seconds.labels(model).time()

    def chunk(self, outcome: Literal["finished", "given-back"]) -> None:
        """Counts a chunk that this process had."""
        self._chunks.labels(outcome).inc()

    def left(self, jobs: int, waiting: int, held: int) -> None:
        """Shows what is left to do: jobs that are not over, and their chunks that wait and that are held."""
        for gauge, number in zip(self._left, (jobs, waiting, held), strict=True):
            gauge.set(number)

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

    def watch_queues(self, waiting: Mapping[str, Callable[[], int]]) -> None:
        """Shows how many wait in each queue."""
        text = "Texts that wait for a model, and PDFs that wait for a process."
        gauge = self.gauge("abstracts_queue_length", text, "livesum", ("queue",))

        def look() -> None:
            for queue, count in waiting.items():
                gauge.labels(queue).set(count())

        self.watch(look)

    def _watch_process(self) -> None:
        memory = self.gauge("abstracts_process_resident_memory_bytes", "Memory of the processes that count.", "livesum")
        text = "Processor time of the processes that count, and of those that read PDFs."
        cpu = Followed(self.counter("abstracts_process_cpu_seconds", text))

        def look() -> None:
            memory.set(resident_bytes())
            cpu.follow(cpu_seconds())

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

    def tick(self, connections: int) -> None:
        """What the server calls about once a second: so many connections are open now."""
        self._connections.set(connections)
        self.look()

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
