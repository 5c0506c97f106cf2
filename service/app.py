"""The application: commands at once, the API before the first request."""

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from flask import Flask
from werkzeug.routing import Map

from config import Settings, load_settings
from service.bootstrap import Services

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

MAX_BODY = 64 * 1024
"""Bytes of a request body: 5000 characters fit, even with each one escaped as a surrogate pair."""

JOB_ITEM = 8 * 1024
"""Bytes of a job's body for each abstract that it may have: on average the longest one in ASCII, with room to spare."""


class Application(Flask):
    """A Flask app that builds its routes when they are first needed.

    `flask --app wsgi keys list` loads this object only to find its commands. The API's libraries take longer to import
    than Flask itself, so they wait for the first request, or for whoever asks for the routes. The server does not wait:
    it builds them before it listens (service/server.py).
    """

    def __init__(self, services: Services) -> None:
        self._building = threading.RLock()
        self._built = True  # while Flask sets itself up
        super().__init__("service", static_folder=None)
        self._built = False
        self.services = services
        self.wsgi_app = self._first_call  # type: ignore[method-assign]

    def build(self) -> None:
        """Registers the routes, once."""
        with self._building:
            if not self._built:
                self._built = True
                del self.wsgi_app
                _build(self)

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """The function itself: there are no asynchronous views, and to ask each function takes long."""
        return func

    @property
    def url_map(self) -> Map:
        """The routes (`flask routes` reads them without a request)."""
        self.build()
        return self._url_map

    @url_map.setter
    def url_map(self, url_map: Map) -> None:
        self._url_map = url_map

    def _first_call(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> "Iterable[bytes]":
        self.build()
        return self.wsgi_app(environ, start_response)


def create_app(settings: Settings | None = None, services: Services | None = None) -> Application:
    """The application for `settings`, by default those of the environment. Raises SettingsError.

    `services` are the collaborators to use instead of those that the settings describe.
    """
    from service.cli import register

    app = Application(services or Services(settings or load_settings()))
    register(app)
    return app


def _build(app: Application) -> None:
    from werkzeug.middleware.proxy_fix import ProxyFix

    from service import problems, web
    from service.access import limiter
    from service.access.gate import Gate
    from service.api.complete import complete
    from service.api.document import Api
    from service.api.routes import batch, health, jobs, models, pdf, predict, predictions
    from service.jobs.intake import Intake

    services = app.services
    most = services.settings.job_max
    intake = Intake(services.jobs, services.models, lambda: services.attendant, most)
    app.config.update(_flask_settings())
    app.url_map.strict_slashes = False
    api = Api(app)
    problems.register(app)
    parts: list[Any] = [
        predict.blueprint(services.models, services.classification, services.limits, services.metrics, intake),
        batch.blueprint(
            services.models,
            services.classification,
            services.limits,
            services.metrics,
            most=services.settings.batch_max,
            max_body=services.settings.batch_max * MAX_BODY,
        ),
        pdf.blueprint(services.pdfs, services.models, services.classification, services.limits, services.metrics),
        jobs.blueprint(services.jobs, intake, most=most, max_body=most * JOB_ITEM),
        predictions.blueprint(services.classification),
        models.blueprint(services.models),
        health.blueprint(services.models, services.backend, services.metrics),
    ]
    for part in parts:
        api.register_blueprint(part)
    app.register_blueprint(web.blueprint(lambda: complete(api.spec.to_dict())))
    limiter.install(services.limiter, app)
    Gate(services.authenticator, services.limits, services.metrics, services.access_log).install(app)
    if services.settings.trusted_proxies:
        hops = services.settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=0)  # type: ignore[method-assign]


def _flask_settings() -> dict[str, Any]:
    return {
        "MAX_CONTENT_LENGTH": MAX_BODY,
        "PROVIDE_AUTOMATIC_OPTIONS": False,
        "API_TITLE": "abstracts",
        "API_VERSION": "1",
        "OPENAPI_VERSION": "3.1.0",
    }
