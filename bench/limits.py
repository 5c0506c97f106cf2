"""What two rate limits cost a request, flask-limiter's hook against service.ratelimits: python -m bench.limits

In process, through the WSGI callable of a bare Flask route: without limits; with two limits by address that
flask-limiter's own hook counts in memory; with the same two that service.ratelimits counts in memory. Headers are left
out on both sides. Beside them a stored answer of the whole service, over SQLite. Rounds take turns; stated are medians,
and what each way adds to the bare route as a part of the stored answer.
"""

import os
import statistics
import tempfile

from flask import request
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address

from bench.hit_path import bare_app, new_key, service_app
from bench.load import MANY, WSGI, call, seconds_per_call, variables
from service.access.ratelimits import LocalCounters, RateLimits, Window
from service.app import Application
from service.cli.common import print_table

LIMITS = f"{MANY};100000000000 per hour"
HIT_PATH = "/api/predict/"
NONE, HIT = "none (the bare route)", "a stored answer of the service"
ROUNDS = 15


def with_flask_limiter() -> WSGI:
    """The bare route with flask-limiter as its documentation has it."""
    app = bare_app()
    Limiter(get_remote_address, app=app, default_limits=[LIMITS], storage_uri="memory://")
    return app


def with_our_own() -> WSGI:
    """The bare route, counted as the service counts."""
    app, counters = bare_app(), LocalCounters()
    limits = RateLimits(counters, counters, ip=LIMITS, key=LIMITS, inference=LIMITS)

    @app.before_request
    def count() -> None:
        spent: list[Window] = []
        limits.spend_request(request.environ["REMOTE_ADDR"], spent)

    return app


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= variables(folder)
        service = service_app()
        try:
            routes: dict[str, WSGI] = {
                NONE: bare_app(),
                "flask-limiter": with_flask_limiter(),
                "service.access.ratelimits": with_our_own(),
            }
            report(routes, service)
        finally:
            service.services.close()


def report(routes: dict[str, WSGI], service: Application) -> None:
    """Measure all in turn, and print."""
    key = new_key(service)
    call(service, HIT_PATH, key)
    samples: dict[str, list[float]] = {name: [] for name in (*routes, HIT)}
    for _ in range(ROUNDS):
        for name, app in routes.items():
            samples[name].append(seconds_per_call(app, "/bare", key))
        samples[HIT].append(seconds_per_call(service, HIT_PATH, key))
    took = {name: statistics.median(found) for name, found in samples.items()}
    rows = [
        (
            name,
            f"{seconds * 1e6:.0f}",
            f"{seconds / took[NONE]:.2f}",
            "" if name == HIT else f"{(seconds - took[NONE]) / took[HIT]:.2f}",
        )
        for name, seconds in took.items()
    ]
    print_table(("limits counted by", "µs", "to none", "added, to a stored answer"), rows)


if __name__ == "__main__":
    main()
