"""Celery workers for jobs, on any machine that reaches the store and the broker: `celery -A service.worker worker`."""

import logging
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from config import SettingsError
from service.bootstrap import Services, read_settings
from storage.errors import Conflict, StorageError
from storage.records.jobs import Job, Jobs

if TYPE_CHECKING:
    from celery import Celery  # type: ignore[import-untyped]

log = logging.getLogger("abstracts.jobs")


def __getattr__(name: str) -> Any:
    """`app`, made when Celery asks for it."""
    if name == "app":
        return make_app()
    raise AttributeError(name)


@cache
def make_app() -> "Celery":
    """The app of ABSTRACTS_JOBS_BROKER_URL. Ends the process with a message if settings are wrong or it is not set."""
    # The script `celery` has the working folder on its path only while it imports this module.
    root = str(Path(__file__).parents[1])
    if root not in sys.path:
        sys.path.insert(0, root)
    from celery.signals import worker_process_shutdown  # type: ignore[import-untyped]

    from service.jobs.broker import make_celery

    try:
        settings = read_settings()
    except SettingsError as error:
        raise SystemExit(f"Error: {error}") from error
    if not settings.jobs_broker_url:
        raise SystemExit("Error: ABSTRACTS_JOBS_BROKER_URL is not set, so jobs run in the server's own process.")

    @cache
    def services() -> Services:
        return Services(settings)  # in the process that runs tasks, after the fork

    def close(**_: object) -> None:
        if services.cache_info().currsize:
            services().close()

    app = make_celery(settings.jobs_broker_url)
    add_task(app, services)
    worker_process_shutdown.connect(close, weak=False)
    return app


def add_task(app: "Celery", services: Callable[[], Services]) -> None:
    """Gives the app its task. `services` makes the collaborators, in the process that runs the task."""
    from service.jobs.broker import TASK

    def task(self: Any, id: str) -> None:
        again = advance(services(), id)
        if again is not None:
            raise self.retry(countdown=again.total_seconds(), max_retries=None)

    app.task(task, name=TASK, bind=True)


def advance(services: Services, id: str) -> timedelta | None:
    """Works a job off for up to SLICE; how soon to look at it again, None if it is over or gone."""
    from service.jobs.attendants import new_holder, run_held
    from service.jobs.broker import SLICE

    jobs, holder, until = services.jobs, new_holder(), time.monotonic() + SLICE
    try:
        job = jobs.claim(holder, id)
        if job is not None:
            run_held(jobs, services.runner, job, holder, lambda: time.monotonic() >= until)
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
