"""Jobs through a broker: what the server sends and what Celery workers do with it."""

import logging
import time
from datetime import timedelta
from threading import Event
from typing import Any, Final

from celery import Celery  # type: ignore[import-untyped]
from kombu.exceptions import OperationalError

from service.bootstrap import Services
from service.errors import BrokerUnavailable
from service.jobs.attendants import Dispatcher, new_holder, run_held
from storage.errors import Conflict, StorageError
from storage.records.jobs import Job, Jobs

log = logging.getLogger("abstracts.jobs")

QUEUE: Final = "abstracts.jobs"
TASK: Final = "abstracts.advance"

SLICE: Final = 300.0
"""Seconds that a message may keep a worker; what is left of the job then goes into another message.

Brokers deliver a message again that is not acknowledged in time: RabbitMQ after 30 minutes, Redis after VISIBILITY.
"""
VISIBILITY: Final = 900
BROKER_TIMEOUT: Final = 5


def make_celery(url: str) -> Celery:
    """A Celery app for the broker at `url`, not yet connected. Messages are acknowledged when their work is done."""
    app = Celery("abstracts", broker=url, set_as_current=False)
    app.conf.update(
        task_default_queue=QUEUE,
        task_serializer="json",
        accept_content=["json"],
        task_ignore_result=True,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        worker_prefetch_multiplier=1,
        worker_cancel_long_running_tasks_on_connection_loss=True,
        broker_connection_timeout=BROKER_TIMEOUT,
        broker_connection_retry_on_startup=True,
    )
    if url.startswith("redis"):
        timeouts = {"socket_connect_timeout": BROKER_TIMEOUT, "socket_timeout": 2 * BROKER_TIMEOUT}
        app.conf.broker_transport_options = {"visibility_timeout": VISIBILITY, **timeouts}
    return app


class BrokerDispatcher(Dispatcher):
    """A Dispatcher that sends through Celery."""

    def __init__(self, jobs: Jobs, url: str) -> None:
        self._celery = make_celery(url)
        super().__init__(jobs, self._send_task)

    def close(self) -> None:
        """Ends the thread and closes the connection."""
        super().close()
        self._celery.close()

    def _send_task(self, id: str) -> None:
        try:
            self._celery.send_task(TASK, (id,), queue=QUEUE, retry=False)
        except OperationalError as error:
            raise BrokerUnavailable(f"the broker does not answer: {error}") from error


class Deadline(Event):
    """An event that is set once so many seconds are over."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._until = time.monotonic() + seconds

    def is_set(self) -> bool:
        """Whether the time is over."""
        return super().is_set() or time.monotonic() >= self._until


def advance(services: Services, id: str) -> timedelta | None:
    """Works a job off for up to SLICE; how soon to look at it again, None if it is over or gone."""
    jobs, holder = services.jobs, new_holder()
    try:
        job = jobs.claim(holder, id)
        if job is not None:
            run_held(jobs, services.runner, job, holder, Deadline(SLICE))
        return _look_again(jobs, jobs.find(id))
    except Conflict as error:
        log.info("the job %s is no longer ours: %s", id, error)
        return jobs.lease
    except StorageError as error:
        log.warning("the job %s waits for the store: %s", id, error)
        return jobs.lease


def _look_again(jobs: Jobs, job: Job | None) -> timedelta | None:
    if job is None or job.over:
        return None
    return timedelta(0) if jobs.is_free(job) else jobs.lease


def add_task(app: Celery, services: Any) -> None:
    """Gives the app its task. `services` makes the collaborators, in the process that runs the task."""

    def task(self: Any, id: str) -> None:
        again = advance(services(), id)
        if again is not None:
            raise self.retry(countdown=again.total_seconds(), max_retries=None)

    app.task(task, name=TASK, bind=True)
