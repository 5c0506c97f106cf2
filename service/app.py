"""The two applications: the API for servers, and the commands alone for the command line."""

import os
from typing import TYPE_CHECKING, Any, Final

from flask import Flask

from config import Settings
from service.bootstrap import Services, read_settings

if TYPE_CHECKING:
    from service.front.worker import Served

MAX_BODY: Final = 64 * 1024
"""Bytes of a request body: 5000 characters fit, even with each one escaped as a surrogate pair."""

JOB_ITEM: Final = 8 * 1024
"""Bytes of a job's body for each abstract that it may have: on average the longest one in ASCII, with room to spare."""


class Application(Flask):
    """A Flask app with the collaborators behind it."""

    def __init__(self, services: Services) -> None:
        super().__init__("service", static_folder=None)
        self.services = services

    def max_body(self, method: str, path: str) -> int:
        """The most bytes of a body that the route takes."""
        from werkzeug.exceptions import HTTPException

        from service.api.blueprint import MAX_BODY_ATTRIBUTE

        try:
            endpoint, _ = self.url_map.bind("").match(path, method)
        except HTTPException:  # there is no such route, which is said without reading a body
            return MAX_BODY
        return int(getattr(self.view_functions[endpoint], MAX_BODY_ATTRIBUTE, MAX_BODY))

    def attend(self) -> None:
        """Has this process look after jobs from now on."""
        self.services.attendant.wake()
        self.services.backlog.wake()

    def resume_jobs(self) -> None:
        """Has those processes look after jobs that turn out to serve, without waiting for a request."""
        from service.jobs.resume import wake_in_servers

        wake_in_servers(self.attend)

    @staticmethod
    def load() -> "Served":
        """What a server's worker serves: the API, for the settings as they are now."""
        from service.front.worker import Served
        from service.telemetry import logs

        settings = read_settings()
        logs.configure(settings.log_level)
        app = create_app(settings)
        services = app.services
        app.attend()
        services.metrics.watch_log(lambda: logs.lost_lines(services.access_log))
        return Served(
            app,
            app.max_body,
            settings.server_threads,
            lane=services.lane,
            refuse=services.refusals,
            multiprocess=settings.workers > 1,
            close=services.close,
            tick=services.metrics.tick,
            count=services.metrics.ended,
        )


def create_cli(settings: Settings | None = None) -> Application:
    """The commands alone: it loads in a fraction of the time that the API's libraries take. Raises SettingsError."""
    from service.cli import register

    app = Application(Services(settings or read_settings()))
    register(app)
    return app


def create_app(settings: Settings | None = None, services: Services | None = None) -> Application:
    """The API, the web page and the commands for `settings`, by default those of the environment.

    `services` are the collaborators to use instead of those that the settings describe. Raises SettingsError.
    """
    from werkzeug.middleware.proxy_fix import ProxyFix

    from service import problems, web
    from service.access import limiter
    from service.access.inherited import without_inherited
    from service.access.prefix import under_prefix
    from service.api.blueprint import serve_plainly, turn_away
    from service.api.openapi import make_api
    from service.cli import register

    services = services or Services(settings or read_settings())
    app = Application(services)
    register(app)
    app.config.update(MAX_CONTENT_LENGTH=MAX_BODY, PROVIDE_AUTOMATIC_OPTIONS=False)
    app.url_map.strict_slashes = False
    api = make_api(app)
    problems.register(app)
    for part in _routes(services):
        api.register_blueprint(part)
    api.register_blueprint(web.blueprint(api.spec.to_dict))
    limiter.install(services.limiter, app)
    serve_plainly(app)
    services.gate.install(app)
    app.before_request(turn_away)
    if hops := services.settings.trusted_proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=0, x_proto=hops, x_host=0)  # type: ignore[method-assign]
        app.wsgi_app = under_prefix(app.wsgi_app, hops)  # type: ignore[assignment, method-assign]
    app.wsgi_app = without_inherited(app.wsgi_app, os.environ)  # type: ignore[assignment, method-assign]
    return app


def _routes(services: Services) -> list[Any]:
    from service.api.routes import batch, health, jobs, key, models, pdf, predict, predictions, results
    from service.jobs.intake import Intake

    settings, served, predictor = services.settings, services.models, services.predictor
    intake = Intake(services.jobs, served, lambda: services.attendant, settings.job_max, services.metrics.refused)
    return [
        predict.blueprint(served, predictor, intake),
        batch.blueprint(served, predictor, maximum=settings.batch_max, max_body=settings.batch_max * MAX_BODY),
        pdf.blueprint(services.pdfs, served, predictor),
        jobs.blueprint(services.jobs, intake, maximum=settings.job_max, max_body=settings.job_max * JOB_ITEM),
        results.blueprint(services.jobs),
        predictions.blueprint(served, predictor),
        models.blueprint(services.registry),
        key.blueprint(services.limits, services.usages),
        health.blueprint(
            services.registry, services.backend, services.store_status, services.metrics, services.is_reachable
        ),
    ]
