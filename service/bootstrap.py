"""The composition root: settings become collaborators, each made once, when it is first asked for."""

import threading
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from config import PREFIX, Settings, load_settings, make_store_folder
from storage.connect import check_store, open_backend
from storage.errors import BadOptions

if TYPE_CHECKING:
    from flask_limiter import Limiter

    from model.artifact import Artifact
    from model.budget import MemoryBudget
    from model.classifier import Classifier
    from model.engines.base import Engine
    from model.registry import Registry
    from service.access.auth import Authenticator
    from service.access.cors import Cors
    from service.access.gate import Gate
    from service.access.ratelimits import RateLimits
    from service.front.answering import Refusals
    from service.front.lane import Lane
    from service.jobs.attendants import Attendant
    from service.jobs.runner import Runner
    from service.pdf.extract import Extractor
    from service.predicting.memory import Memory
    from service.predicting.models import Models
    from service.predicting.predictor import Predictor
    from service.telemetry.logs import AccessLog
    from service.telemetry.metrics import Metrics
    from service.telemetry.usage import UsageMeter
    from storage.base import Backend, Status
    from storage.deadline import Patience
    from storage.records.apikeys import Keys
    from storage.records.jobs import Jobs
    from storage.records.predictions import Predictions
    from storage.records.usage import Usages

FLIGHT_GRACE = 30.0
"""Seconds, beyond the queue's deadline, after which a request no longer waits for another one's model run."""

PROBE_TIMEOUT = 2.0
"""Seconds that a readiness probe waits for TensorFlow Serving, for each model."""


T = TypeVar("T")


class once(Generic[T]):  # noqa: N801  (used like property)
    """A property that is worked out once for each Services, also when several threads ask for it at once."""

    def __init__(self, make: Callable[[Any], T]) -> None:
        self._make = make
        self.__doc__ = make.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, services: None, owner: type) -> "once[T]": ...
    @overload
    def __get__(self, services: "Services", owner: type) -> T: ...
    def __get__(self, services: "Services | None", owner: type) -> "T | once[T]":
        if services is None:
            return self
        with services.making:
            made: T = vars(services)[self._name] if self._name in vars(services) else self._make(services)
            vars(services)[self._name] = made  # from now on it is found without asking here
        return made


class Services:
    """Everything that runs, from one Settings object.

    A command asks for what it needs (`services.keys`) and pays for no more: neither numpy nor an engine, nor the API's
    libraries. Close it when done; what was never asked for is not opened for that.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.making = threading.RLock()

    @once
    def backend(self) -> "Backend":
        """The store; not yet connected. SettingsError if it has no place."""
        settings = self.settings
        make_store_folder(settings)
        return open_backend(
            settings.store_url,
            username=settings.store_username,
            password=settings.store_password,
            timeout=settings.store_timeout,
            connect_timeout=settings.store_connect_timeout,
            ca=settings.store_ca,
        )

    @once
    def patience(self) -> "Patience":
        """How long the store may keep a request waiting."""
        from storage.deadline import Patience

        return Patience(self.settings.store_timeout.total_seconds())

    def store_status(self) -> "Status":
        """How the store fares, by its own calls and by what they took requests."""
        status = self.backend.status()
        return status._replace(out=(*status.out, *self.patience.out))

    @once
    def predictions(self) -> "Predictions":
        """Stored predictions."""
        from storage.records.predictions import Predictions

        return Predictions(self.backend)

    @once
    def keys(self) -> "Keys":
        """API keys."""
        from storage.records.apikeys import Keys

        return Keys(self.backend)

    @once
    def usages(self) -> "Usages":
        """Stored usage of API keys."""
        from storage.records.usage import Usages

        return Usages(self.backend)

    @once
    def meter(self) -> "UsageMeter":
        """Counts the usage of API keys."""
        from service.telemetry.usage import UsageMeter

        return UsageMeter(self.usages, self.keys)

    @once
    def registry(self) -> "Registry":
        """Which models there are."""
        from model.registry import Registry

        return Registry(self.settings.model_dir, self.settings.default_model)

    @once
    def models(self) -> "Models":
        """The models that answer, each loaded when it first has to run."""
        from service.predicting.models import Models

        return Models(self.registry, self.make_classifier)

    def is_reachable(self, name: str) -> bool:
        """Whether TensorFlow Serving, where it runs the models, has this one."""
        if not self.settings.tfserving_url:
            return True
        from model.engines.tfserving import is_available

        return is_available(self.settings.tfserving_url, name, PROBE_TIMEOUT)

    @once
    def model_memory(self) -> "MemoryBudget":
        """The memory that all models share."""
        from model.budget import MemoryBudget

        here = not self.settings.tfserving_url
        return MemoryBudget(self.settings.model_memory_limit << 20 if here else 0)

    def make_classifier(self, artifact: "Artifact") -> "Classifier":
        """A classifier of the caller's own, which closes it."""
        from model.classifier import Classifier
        from service.cores import available_cores

        return Classifier(
            artifact,
            threads=self.settings.threads or available_cores(),
            queue_size=self.settings.queue_size,
            queue_deadline=self.settings.queue_deadline.total_seconds(),
            make_engine=self._make_engine,
            budget=self.model_memory,
        )

    def _make_engine(self, artifact: "Artifact", threads: int) -> "Engine":
        """TensorFlow Serving's, where its address is set; else in this process."""
        from model.classifier import litert_engine

        if not self.settings.tfserving_url:
            with self.metrics.load(artifact.name):
                return litert_engine(artifact, threads)
        from model.engines.tfserving import TFServingEngine

        return TFServingEngine(self.settings.tfserving_url, artifact.name, len(artifact.manifest.labels))

    @once
    def memory(self) -> "Memory":
        """Predictions kept in this process."""
        from service.predicting.memory import Memory

        return Memory(self.settings.l1_size, self.settings.l1_ttl.total_seconds())

    @once
    def predictor(self) -> "Predictor":
        """Abstracts to answers, through the cache."""
        from service.predicting.predictor import Predictor

        settings = self.settings
        return Predictor(
            self.predictions,
            self.memory,
            self.metrics,
            self.meter,
            flight_timeout=settings.queue_deadline.total_seconds() + FLIGHT_GRACE,
            result_ttl=settings.result_ttl,
            store_abstracts=settings.store_abstracts,
        )

    @once
    def pdfs(self) -> "Extractor":
        """PDFs to abstracts."""
        from service.pdf.extract import Extractor

        return Extractor(count=self.metrics.paper)

    @once
    def authenticator(self) -> "Authenticator":
        """Who is asking."""
        from service.access.auth import Authenticator

        settings = self.settings
        return Authenticator(self.keys, settings.key_cache_ttl.total_seconds(), settings.key_outage_ttl.total_seconds())

    @once
    def limits(self) -> "RateLimits":
        """How much each may ask."""
        from service.access.limiter import strategy_of
        from service.access.ratelimits import RateLimits

        settings = self.settings
        return RateLimits(
            strategy_of(self.limiter),
            self.metrics.refused,
            ip=settings.limit_ip,
            key=settings.limit_key,
            inference=settings.limit_inference,
        )

    @once
    def limiter(self) -> "Limiter":
        """flask-limiter: counts in the store whoever else does, so that all who share it hold the limits together."""
        from service.access.limiter import make_limiter

        settings = self.settings
        notations = {"ip": settings.limit_ip, "key": settings.limit_key, "inference": settings.limit_inference}
        return make_limiter(settings.store_url, self.backend, notations)

    @once
    def jobs(self) -> "Jobs":
        """Stored jobs."""
        from storage.records.jobs import Jobs

        return Jobs(self.backend, ttl=self.settings.job_ttl, most_open=self.settings.job_open_max)

    @once
    def runner(self) -> "Runner":
        """Works chunks off, whoever holds them."""
        from service.jobs.runner import Runner

        services = (self.jobs, self.models, self.predictor, self.keys, self.limits)
        return Runner(*services, self.metrics, self.meter, self.pdfs)

    @once
    def attendant(self) -> "Attendant":
        """Looks after jobs while the server runs: works them off, or hands them to the broker."""
        if self.settings.jobs_broker_url:
            from service.jobs.broker import BrokerDispatcher

            return BrokerDispatcher(self.jobs, self.settings.jobs_broker_url)
        from service.cores import available_cores
        from service.jobs.attendants import LocalWorkers

        # Two keep the engine busy: one prepares and stores while the other's text runs. More would only stand in
        # the queue that requests stand in, too.
        return LocalWorkers(self.jobs, lambda: self.runner, min(2, available_cores()))

    @once
    def backlog(self) -> "Attendant":
        """Tells the metrics how much of all jobs is left to do."""
        from service.jobs.backlog import Backlog

        return Backlog(self.jobs, self.metrics.left)

    @once
    def metrics(self) -> "Metrics":
        """What Prometheus scrapes."""
        from service.telemetry.metrics import Metrics

        metrics = Metrics()
        metrics.watch_store(self.store_status)
        metrics.watch_usage(lambda: self.meter.lost)
        metrics.watch_queues({"model": lambda: self.models.waiting, "pdf": lambda: self.pdfs.waiting})
        return metrics

    @once
    def gate(self) -> "Gate":
        """What surrounds every request."""
        from service.access.gate import Gate

        return Gate(
            self.authenticator,
            self.limits,
            self.metrics,
            self.meter,
            self.access_log,
            self.cors,
            self.patience,
            hops=self.settings.trusted_proxies,
            log_probes=self.settings.log_probes,
        )

    @once
    def cors(self) -> "Cors":
        """Which other pages may read answers."""
        from service.access.cors import Cors

        return Cors(self.settings.cors_origins)

    @once
    def refusals(self) -> "Refusals":
        """What the server tells a client whom the application does not answer."""
        from service.front.answering import Refusals

        return Refusals(self.cors, self.access_log, hops=self.settings.trusted_proxies)

    @once
    def lane(self) -> "Lane":
        """What answers before Flask where it can."""
        from service.front.lane import Lane

        hops, near = self.settings.trusted_proxies, self.backend.near
        return Lane(self.models, self.predictor, self.authenticator, self.limits, self.gate, hops=hops, near=near)

    @once
    def access_log(self) -> "AccessLog | None":
        """One line a request on standard output; none where only warnings are wanted."""
        from service.telemetry.logs import AccessLog

        return AccessLog() if self.settings.log_level in ("DEBUG", "INFO") else None

    def close(self) -> None:
        """Unloads models, writes the last usage and closes the store, of those that were opened."""
        opened = vars(self)
        for attendant in ("backlog", "attendant"):
            if attendant in opened:
                opened[attendant].close()
        if "models" in opened:
            self.models.close()
        if "meter" in opened:
            self.meter.close()
        if "backend" in opened:
            self.backend.close()
        if "access_log" in opened and self.access_log is not None:
            self.access_log.close()


def read_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """load_settings, and whether the store can be opened so. Raises SettingsError with every fault."""
    return load_settings(environ, _store_faults)


def _store_faults(values: Mapping[str, Any]) -> Iterator[str]:
    if "store_url" not in values:
        return
    given = {name: values.get(f"store_{name}") or "" for name in ("url", "username", "password")}
    try:
        check_store(**given, ca=values.get("store_ca"))
    except BadOptions as exc:
        yield from (f"{PREFIX}STORE_{option.upper()}: {text}." for option, text in exc.faults)
