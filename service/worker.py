"""Celery workers for jobs, on any machine that reaches the store and the broker: `celery -A service.worker worker`."""

import logging
import sys
from collections.abc import Callable
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from config import Settings, SettingsError
from service.bootstrap import Services, read_settings
from service.telemetry import shared
from service.telemetry.request_ids import WithRequest, note
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
    def services() -> Services:  # in the process that runs tasks, after the fork
        if settings.metrics_port:
            shared.take_seat(_seat())
        return Services(settings)

    def close(**_: object) -> None:
        if services.cache_info().currsize:
            services().close()
            if settings.metrics_port:
                shared.leave_seat(_seat())

    app = make_celery(settings.jobs_broker_url)
    _log_requests(app)
    add_task(app, services)
    worker_process_shutdown.connect(close, weak=False)
    if settings.metrics_port:
        _export(settings)
    return app


def _log_requests(app: "Celery") -> None:
    """Has log lines name the request that the chunk at hand came with."""
    from celery.signals import after_setup_logger

    def add(logger: logging.Logger, **_: object) -> None:
        for handler in logger.handlers:
            handler.addFilter(WithRequest())

    app.conf.worker_log_format += "%(request)s"
    after_setup_logger.connect(add, weak=False)


def _seat() -> int:
    """Of the processes of a worker each has another number; one that takes a dead one's place has its number."""
    from billiard import current_process  # type: ignore[import-untyped]

    return int(getattr(current_process(), "index", 0))


def _export(settings: Settings) -> None:
    """Has the worker serve what its processes count, while it runs."""
    from celery.signals import worker_init, worker_shutdown

    opened = ExitStack()

    def start(**_: object) -> None:
        try:
            opened.enter_context(shared.exported(settings.host, settings.metrics_port))
        except OSError as error:
            place = f"{settings.host}:{settings.metrics_port}"
            raise SystemExit(f"Error: ABSTRACTS_METRICS_PORT: cannot listen on {place}: {error.strerror}") from error

    def stop(**_: object) -> None:
        opened.close()

    worker_init.connect(start, weak=False)
    worker_shutdown.connect(stop, weak=False)


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

    note("")
    try:
        claim = services.jobs.claim(id, new_holder(), number)
        if claim is not None:
            note(claim.job.request)
            services.runner.run(claim, lambda: False)
            services.metrics.look()
    except Conflict as error:
        log.info("a chunk of the job %s is no longer ours: %s", id, error)
