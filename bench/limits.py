"""What counting a request for its address and its key costs: python -m bench.limits

Two tables. The first is of the counting alone, as the gate does it, with both header values: in memory, in a SQLite
file in leases, and there one by one, as `limits` has it; with the calls of the store for each request. Limits are the
default ones, and 5,000 requests are counted for each address and key. The second is of whole requests, in process,
through the WSGI callable of a bare Flask route: without limits, with two that flask-limiter's own hook counts in
memory, and with the same counted as the gate does; beside them a stored answer of the whole service over SQLite, and
what each way adds to the bare route as a part of that. Rounds take turns; stated are medians.
"""

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from flask import request
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address

from bench.hit_path import bare_app, new_key, service_app
from bench.load import MANY, WSGI, call, seconds_per_call, variables
from config import Settings
from service.access.leases import LeasedWindows
from service.access.limiter import make_limiter, strategy_of
from service.access.ratelimits import RateLimits, Window, limit_header, policy_header
from service.app import Application
from service.cli.common import print_table
from storage.backends.sqlite.backend import SQLiteBackend
from storage.ratelimit import BackendStorage
from storage.records.apikeys import ApiKey, Keys

NOTATIONS = {"ip": Settings.limit_ip, "key": Settings.limit_key, "inference": Settings.limit_inference}
LIMITS = f"{MANY};100000000000 per hour"
HIT_PATH = "/api/predict/"
NONE, HIT = "none (the bare route)", "a stored answer of the service"
ROUNDS = 15
COUNTED = 5000


class CallCounter(SQLiteBackend):
    """Knows how often it was asked."""

    calls = 0

    def increment(self, *args: object, **kwargs: object) -> int:
        """As a SQLiteBackend does."""
        self.calls += 1
        return super().increment(*args, **kwargs)  # type: ignore[arg-type]


class OneByOne(LeasedWindows):
    """Asks the storage for each request."""

    def spend(self, key: str, quota: int, seconds: int, cost: int = 1) -> tuple[bool, int]:
        """As FixedWindowRateLimiter counts."""
        total = self.storage.incr(key, seconds, cost)
        return total <= quota, max(0, quota - total)


def count(limits: RateLimits, address: str, key: ApiKey) -> tuple[str, str]:
    """What the gate does for a request."""
    windows: list[Window] = []
    limits.spend_request(address, windows)
    limits.spend_key(key, windows)
    return policy_header(windows), limit_header(windows)


def report_counting(folder: Path) -> None:
    """Print the first table."""
    backend = CallCounter(folder / "limits.sqlite")
    storage = BackendStorage(backend=backend)
    strategies = {
        "memory": strategy_of(make_limiter("memory://", backend, NOTATIONS)),
        "a SQLite file, in leases": LeasedWindows(storage),
        "a SQLite file, one by one": OneByOne(storage),
    }
    key = Keys(backend).create("bench", ["predict"])[0]
    rows = []
    for name, strategy in strategies.items():
        limits, before = RateLimits(strategy, **NOTATIONS), backend.calls
        took = [_seconds_per_count(limits, f"192.0.2.{n}", replace(key, id=f"{name}{n}")) for n in range(ROUNDS)]
        calls = (backend.calls - before) / (ROUNDS * COUNTED)
        rows.append((name, f"{statistics.median(took) * 1e6:.1f}", f"{calls:.3f}"))
    backend.close()
    print_table(("address and key counted in", "µs", "calls of the store"), rows)


def _seconds_per_count(limits: RateLimits, address: str, key: ApiKey) -> float:
    started = time.perf_counter()
    for _ in range(COUNTED):
        count(limits, address, key)
    return (time.perf_counter() - started) / COUNTED


def with_flask_limiter() -> WSGI:
    """The bare route with flask-limiter as its documentation has it."""
    app = bare_app()
    Limiter(get_remote_address, app=app, default_limits=[LIMITS], storage_uri="memory://")
    return app


def with_the_gates_way() -> WSGI:
    """The bare route, counted as the gate counts."""
    app = bare_app()
    notations = dict.fromkeys(NOTATIONS, LIMITS)
    limits = RateLimits(strategy_of(make_limiter("memory://", SQLiteBackend(Path("none")), notations)), **notations)

    @app.before_request
    def spend() -> None:
        spent: list[Window] = []
        limits.spend_request(request.environ["REMOTE_ADDR"], spent)

    return app


def main() -> None:
    """Print the tables."""
    with tempfile.TemporaryDirectory() as folder:
        report_counting(Path(folder))
        os.environ |= variables(folder)
        service = service_app()
        try:
            report(
                {
                    NONE: bare_app,
                    "flask-limiter's hook": with_flask_limiter,
                    "service.access.ratelimits": with_the_gates_way,
                },
                service,
            )
        finally:
            service.services.close()


def report(ways: Mapping[str, Callable[[], WSGI]], service: Application) -> None:
    """Print the second table."""
    key = new_key(service)
    call(service, HIT_PATH, key)
    routes = {name: make() for name, make in ways.items()}
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
