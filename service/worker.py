"""Celery workers for jobs, on any machine that reaches the store and the broker: `celery -A service.worker worker`."""

import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from config import SettingsError, load_settings
from service.bootstrap import Services

if TYPE_CHECKING:
    from celery import Celery  # type: ignore[import-untyped]


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

    from service.jobs.broker import add_task, make_celery

    try:
        settings = load_settings()
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
