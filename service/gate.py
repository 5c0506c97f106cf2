"""What surrounds every view: limits and keys before it, headers, log line and metrics after it."""

import json
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Literal, TypeVar

from flask import Flask, Response, g, request

from service.auth import Authenticator, Scope, presented_key, require
from service.metrics import Metrics
from service.ratelimits import RateLimits, Window, limit_header, policy_header
from storage.keys import ApiKey

log = logging.getLogger("abstracts.access")

Access = Literal["probe", "open"] | Scope
"""probe: no key and no limit. open: no key, limited by address. Otherwise the scope that the key must have."""

ACCESS_ATTRIBUTE: Final = "__access__"
View = TypeVar("View", bound=Callable[..., object])


def access(level: Access) -> Callable[[View], View]:
    """Declares who may use a view. A view without it is refused to everybody. Apply it last, outermost."""

    def declare(view: View) -> View:
        setattr(view, ACCESS_ATTRIBUTE, level)
        return view

    return declare


@dataclass(slots=True)
class Call:
    """One request on its way through."""

    started: float
    key: ApiKey | None = None
    windows: list[Window] = field(default_factory=list)
    timings: dict[str, float] = field(default_factory=dict)
    outcome: str = ""


def current_call() -> Call:
    """The request being answered."""
    call: Call = g.call
    return call


class Gate:
    """Holds the hooks of one app."""

    def __init__(self, authenticator: Authenticator, limits: RateLimits, metrics: Metrics) -> None:
        self._authenticator = authenticator
        self._limits = limits
        self._metrics = metrics
        self._levels: dict[str, Access] = {}

    def install(self, app: Flask) -> None:
        """Call it when all views are registered. Raises TypeError for one that does not declare its access."""
        for endpoint, view in app.view_functions.items():
            level = getattr(view, ACCESS_ATTRIBUTE, None)
            if level is None:
                raise TypeError(f"the view {endpoint} does not say who may use it: add @access(...)")
            self._levels[endpoint] = level
        app.before_request(self._before)
        app.after_request(self._after)

    def _before(self) -> None:
        call = g.call = Call(time.perf_counter())
        level = self._levels.get(request.endpoint or "", "open")
        if level == "probe":
            return
        self._limits.spend_request(request.remote_addr or "unknown", call.windows)
        if level == "open":
            return
        started = time.perf_counter()
        environ = request.environ
        presented = presented_key(environ.get("HTTP_AUTHORIZATION"), environ.get("HTTP_X_API_KEY"))
        call.key = self._authenticator.authenticate(presented)
        require(call.key, level)
        self._limits.spend_key(call.key, call.windows)
        call.timings["auth"] = time.perf_counter() - started

    def _after(self, response: Response) -> Response:
        call = current_call()
        headers = response.headers
        headers["X-Content-Type-Options"] = "nosniff"
        if call.windows:
            headers["RateLimit-Policy"] = policy_header(call.windows)
            headers["RateLimit"] = limit_header(call.windows)
        if call.timings:
            headers["Server-Timing"] = ", ".join(f"{name};dur={s * 1000:.3f}" for name, s in call.timings.items())
        seconds = time.perf_counter() - call.started
        route = request.url_rule.rule if request.url_rule else ""
        self._metrics.request(request.method, route, response.status_code, seconds)
        if log.isEnabledFor(logging.INFO):
            log.info(_line(call, route, response.status_code, seconds))
        return response


def _line(call: Call, route: str, status: int, seconds: float) -> str:
    """One JSON object. An address without a route is told by its start, since anybody can make up a long one."""
    return json.dumps(
        {
            "time": round(time.time(), 3),
            "method": request.method,
            "route": route or None,
            "path": None if route else request.path[:80],
            "status": status,
            "ms": round(seconds * 1000, 3),
            "ip": request.remote_addr,
            "key": call.key.id if call.key else None,
            "cache": call.outcome or None,
        }
    )
