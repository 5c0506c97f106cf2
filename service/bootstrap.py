"""The composition root: settings become collaborators, each made when it is first asked for."""

from functools import cached_property
from typing import TYPE_CHECKING

from config import Settings
from storage.breaker import GuardedBackend
from storage.connect import open_backend

if TYPE_CHECKING:
    from flask_limiter import Limiter

    from model.artifact import Artifact
    from model.budget import MemoryBudget
    from model.classifier import Classifier
    from model.engines.base import Engine
    from model.registry import Registry
    from service.access.auth import Authenticator
    from service.access.ratelimits import RateLimits
    from service.jobs.attendants import Attendant
    from service.jobs.runner import Runner
    from service.pdf.extract import Extractor
    from service.predicting.classification import Classification
    from service.predicting.models import Models
    from service.telemetry.logs import AccessLog
    from service.telemetry.metrics import Metrics
    from storage.base import Backend
    from storage.records.apikeys import Keys
    from storage.records.jobs import Jobs
    from storage.records.predictions import Predictions

FLIGHT_GRACE = 30.0
"""Seconds, beyond the queue's deadline, after which a request no longer waits for another one's model run."""

PROBE_TIMEOUT = 2.0
"""Seconds that a readiness probe waits for TensorFlow Serving, for each model."""


class Services:
    """Everything that runs, from one Settings object.

    A command asks for what it needs (`services.keys`) and pays for no more: neither numpy nor an engine, nor the API's
    libraries. Close it when done; what was never asked for is not opened for that.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @cached_property
    def bare_backend(self) -> "Backend":
        """The store itself, for commands that look after it; not yet connected."""
        settings = self.settings
        return open_backend(
            settings.store_url,
            username=settings.store_username,
            password=settings.store_password,
            timeout=settings.store_timeout,
            connect_timeout=settings.store_connect_timeout,
            ca=settings.store_ca,
        )

    @cached_property
    def backend(self) -> GuardedBackend:
        """The store behind its circuit breaker."""
        return GuardedBackend(self.bare_backend)

    @cached_property
    def results(self) -> "Predictions":
        """Stored predictions."""
        from storage.records.predictions import Predictions

        return Predictions(self.backend)

    @cached_property
    def keys(self) -> "Keys":
        """API keys."""
        from storage.records.apikeys import Keys

        return Keys(self.backend)

    @cached_property
    def registry(self) -> "Registry":
        """Which models there are."""
        from model.registry import Registry

        return Registry(self.settings.model_dir, self.settings.default_model)

    @cached_property
    def models(self) -> "Models":
        """The models that answer, each loaded when it first has to run."""
        from service.predicting.models import Models

        return Models(self.registry, self.make_classifier, self._is_reachable)

    def _is_reachable(self, name: str) -> bool:
        """Whether TensorFlow Serving, where it runs the models, has this one."""
        if not self.settings.tfserving_url:
            return True
        from model.engines.tfserving import is_available

        return is_available(self.settings.tfserving_url, name, PROBE_TIMEOUT)

    @cached_property
    def model_memory(self) -> "MemoryBudget":
        """The memory that all models share."""
        from model.budget import MemoryBudget

        here = not self.settings.tfserving_url
        return MemoryBudget(self.settings.model_memory_limit << 20 if here else 0)

    def make_classifier(self, artifact: "Artifact") -> "Classifier":
        """A classifier of the caller's own, which closes it."""
        from model.classifier import Classifier

        return Classifier(
            artifact,
            threads=self.settings.threads or _cores(),
            queue_size=self.settings.queue_size,
            queue_deadline=self.settings.queue_deadline.total_seconds(),
            make_engine=self._make_engine,
            budget=self.model_memory,
        )

    def _make_engine(self, artifact: "Artifact", threads: int) -> "Engine":
        """TensorFlow Serving's, where its address is set; else in this process."""
        from model.classifier import litert_engine

        if not self.settings.tfserving_url:
            return litert_engine(artifact, threads)
        from model.engines.tfserving import TFServingEngine

        return TFServingEngine(self.settings.tfserving_url, artifact.name, len(artifact.manifest.labels))

    @cached_property
    def classification(self) -> "Classification":
        """Abstracts to answers, through the cache."""
        from service.predicting.classification import Classification

        settings = self.settings
        return Classification(
            self.results,
            self.models,
            l1_size=settings.l1_size,
            l1_ttl=settings.l1_ttl.total_seconds(),
            flight_timeout=settings.queue_deadline.total_seconds() + FLIGHT_GRACE,
            result_ttl=settings.result_ttl,
            store_abstracts=settings.store_abstracts,
        )

    @cached_property
    def pdfs(self) -> "Extractor":
        """PDFs to abstracts."""
        from service.pdf.extract import Extractor

        return Extractor()

    @cached_property
    def authenticator(self) -> "Authenticator":
        """Who is asking."""
        from service.access.auth import Authenticator

        settings = self.settings
        return Authenticator(self.keys, settings.key_cache_ttl.total_seconds(), settings.key_outage_ttl.total_seconds())

    @cached_property
    def limits(self) -> "RateLimits":
        """How much each may ask."""
        from service.access.limiter import strategy_of
        from service.access.ratelimits import RateLimits

        settings = self.settings
        return RateLimits(
            strategy_of(self.limiter), ip=settings.limit_ip, key=settings.limit_key, inference=settings.limit_inference
        )

    @cached_property
    def limiter(self) -> "Limiter":
        """flask-limiter: counts in the store whoever else does, so that all who share it hold the limits together."""
        from service.access.limiter import make_limiter

        settings = self.settings
        notations = {"ip": settings.limit_ip, "key": settings.limit_key, "inference": settings.limit_inference}
        return make_limiter(settings.store_url, self.backend, notations)

    @cached_property
    def jobs(self) -> "Jobs":
        """Stored jobs."""
        from storage.records.jobs import Jobs

        return Jobs(self.backend, ttl=self.settings.job_ttl)

    @cached_property
    def runner(self) -> "Runner":
        """Works jobs off, whoever holds them."""
        from service.jobs.runner import Runner

        return Runner(self.jobs, self.models, self.classification, self.keys, self.limits, self.metrics.answered)

    @cached_property
    def attendant(self) -> "Attendant":
        """Looks after jobs while the server runs: works them off, or hands them to the broker."""
        if self.settings.jobs_broker_url:
            from service.jobs.broker import BrokerDispatcher

            return BrokerDispatcher(self.jobs, self.settings.jobs_broker_url)
        from service.jobs.attendants import LocalWorker

        return LocalWorker(self.jobs, lambda: self.runner)

    @cached_property
    def metrics(self) -> "Metrics":
        """What Prometheus scrapes."""
        from service.telemetry.metrics import Metrics

        metrics = Metrics()
        metrics.watch_store(lambda: self.backend.errors, lambda: self.backend.available)
        return metrics

    @cached_property
    def access_log(self) -> "AccessLog | None":
        """One line a request on standard output; none where only warnings are wanted."""
        from service.telemetry.logs import AccessLog

        return AccessLog() if self.settings.log_level in ("DEBUG", "INFO") else None

    def close(self) -> None:
        """Unloads models and closes the store, of those that were opened."""
        opened = vars(self)
        if "attendant" in opened:
            self.attendant.close()
        if "models" in opened:
            self.models.close()
        if "bare_backend" in opened:
            self.bare_backend.close()


def _cores() -> int:
    """The cores that this process may use."""
    import os

    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
