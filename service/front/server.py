"""The production server: Granian with this application."""

from multiprocessing.util import Finalize
from typing import TYPE_CHECKING

from config import Settings, load_settings

if TYPE_CHECKING:
    from service.app import Application

BACKLOG = 1024
"""Connections that may wait to be accepted."""
STOP_TIMEOUT = 30
"""Seconds after which a worker that was told to stop is killed."""


def run(settings: Settings) -> None:
    """Serves until SIGTERM or SIGINT. Connections to the store are made in the workers, after the fork.

    At SIGHUP, workers start anew, each before the one it replaces stops: they read the models that are there by then.
    """
    from granian import Granian
    from granian.constants import Interfaces

    from service.front.running import announced
    from service.telemetry.logs import for_granian

    server = Granian(
        "wsgi:app",
        address=settings.host,
        port=settings.port,
        interface=Interfaces.WSGI,
        workers=settings.workers,
        blocking_threads=settings.server_threads,
        backlog=BACKLOG,
        workers_kill_timeout=STOP_TIMEOUT,
        websockets=False,
        log_dictconfig=for_granian(base_url(settings)),
    )
    with announced(settings):
        server.serve(target_loader=_load)


def base_url(settings: Settings) -> str:
    """Where clients on this machine find the server."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104 (compared, not bound)
    return f"http://[{host}]:{settings.port}" if ":" in host else f"http://{host}:{settings.port}"


def _load(_: str) -> "Application":
    """A worker's application, built before its first request and closed when the worker ends."""
    from service.app import create_app
    from service.telemetry import logs

    settings = load_settings()
    logs.configure(settings.log_level)
    app = create_app(settings)
    app.services.attendant.wake()
    Finalize(None, app.services.close, exitpriority=1)
    return app
