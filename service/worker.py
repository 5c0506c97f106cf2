"""Celery workers for jobs, on any machine that reaches the store and the broker: `celery -A service.worker worker`."""

import logging
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from config import SettingsError
from service.bootstrap import Services, read_settings
from storage.errors import Conflict, Unavailable

if TYPE_CHECKING:
    from celery import Celery  # type: ignore[import-untyped]

log = logging.getLogger("abstracts.jobs")

RETRY_AFTER_MAX: Final = 60
"""Seconds after which a chunk is tried again at the latest while the store does not answer."""


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

    def task(id: str, number: int) -> None:
        work(services(), id, number)

    app.task(
        task,
        name=TASK,
        autoretry_for=(Unavailable,),
        retry_backoff=True,
        retry_backoff_max=RETRY_AFTER_MAX,
        max_retries=None,
    )


def work(services: Services, id: str, number: int) -> None:
    """Works off a chunk, unless another has it or it is complete. Raises Unavailable."""
    from service.jobs.turns import new_holder

    try:
        claim = services.jobs.claim(id, new_holder(), number)
        if claim is not None:
            services.runner.run(claim, lambda: False)
    except Conflict as error:
        log.info("a chunk of the job %s is no longer ours: %s", id, error)
