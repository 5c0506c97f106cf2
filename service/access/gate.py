"""What surrounds every view: limits and keys before it, headers, log line and metrics after it."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeVar

from flask import Flask, Response, request

from service.access.addresses import client_address
from service.access.auth import Authenticator, Scope, presented_key, require
from service.access.cors import Cors
from service.access.ratelimits import Payer, RateLimits, Window, limit_header, policy_header
from service.telemetry.access_line import access_line
from service.telemetry.logs import AccessLog
from service.telemetry.metrics import Metrics
from service.telemetry.request_ids import HEADER, RequestId, identify, note
from service.telemetry.usage import UsageMeter
from storage.deadline import Budget, Patience, within
from storage.records.apikeys import ApiKey

Access = Literal["probe", "open", "key"] | Scope
"""probe: no key and no limit. open: no key, limited by address. key: any key. Otherwise the scope that it must have."""

PROBES: Final = ("/livez", "/readyz", "/metrics")
"""Routes of which the log tells only if they fail, unless it is asked for."""
ACCESS_ATTRIBUTE: Final = "__access__"
PDF: Final = "pdf"
"""The stage in which a paper is read."""
_OK: Final = 200
EARLIER: Final = "abstracts.earlier"
"""Where the environ has the Call of the lane, if it has looked at the request."""
_CALL: Final = "abstracts.call"
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
    address: str
    request: RequestId
    origin: str | None
    budget: Budget
    absent: str = ""
    """The id of a prediction for which this request has asked the store in vain."""
    key: ApiKey | None = None
    windows: list[Window] = field(default_factory=list)
    timings: dict[str, float] = field(default_factory=dict)
    outcome: str = ""
    model: str = ""
    payer: Payer | None = None

    def answered(self, model: str, outcome: str, timings: Mapping[str, float]) -> None:
        """Notes how the answer came about, for the headers and the log."""
        self.model = model
        self.outcome = outcome
        self.timings.update(timings)


def current_call() -> Call:
    """The request being answered."""
    call: Call = request.environ[_CALL]
    return call


class Gate:
    """Holds the hooks of one app."""

    def __init__(
        self,
        authenticator: Authenticator,
        limits: RateLimits,
        metrics: Metrics,
        usage: UsageMeter,
        access_log: AccessLog | None,
        cors: Cors,
        patience: Patience,
        *,
        hops: int = 0,
        log_probes: bool = False,
    ) -> None:
        """`hops`: the proxies in front, whose X-Forwarded-For is believed. `log_probes`: those that fail are anyway."""
        self._cors = cors
        self._patience = patience
        self._authenticator = authenticator
        self._limits = limits
        self._metrics = metrics
        self._usage = usage
        self._access_log = access_log
        self._hops = hops
        self._log_probes = log_probes
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

    def _before(self) -> Response | None:
        environ = request.environ
        address = client_address(environ.get("REMOTE_ADDR", ""), environ.get("HTTP_X_FORWARDED_FOR"), self._hops)
        request_id = identify(environ.get("HTTP_X_REQUEST_ID"), environ.get("HTTP_TRACEPARENT"))
        call = environ[_CALL] = self.begin(address, request_id, environ.get("HTTP_ORIGIN"), environ.get(EARLIER))
        note(call.request.id)
        preflight = self._cors.preflight(environ)
        if preflight is not None:
            return Response(status=204, headers=preflight)
        level = self._levels.get(request.endpoint or "", "open")
        with within(call.budget):
            if level != "probe":
                self._limits.spend_request(address, call.windows)
            if level != "probe" and level != "open":
                self._admit(call, level)
        return None

    def begin(self, address: str, id: RequestId, origin: str | None, earlier: Call | None = None) -> Call:
        """A request that comes in; `earlier` is the lane's call for it, whose id and store time go on."""
        if earlier is None:
            return Call(time.perf_counter(), address, id, origin, self._patience.budget())
        return Call(time.perf_counter(), address, earlier.request, origin, earlier.budget, earlier.absent)

    def _admit(self, call: Call, level: Literal["key"] | Scope) -> None:
        environ = request.environ
        started = time.perf_counter()
        presented = presented_key(environ.get("HTTP_AUTHORIZATION"), environ.get("HTTP_X_API_KEY"))
        call.key = self._authenticator.authenticate(presented)
        call.payer = Payer(self._limits, call.key, call.windows, call.budget, call.absent)
        if level != "key":
            require(call.key, level)
        self._limits.spend_key(call.key, call.windows)
        call.timings["auth"] = time.perf_counter() - started

    def _after(self, response: Response) -> Response:
        environ, rule = request.environ, request.url_rule
        method, route = environ["REQUEST_METHOD"], "" if rule is None else rule.rule
        status, size = response.status_code, None if method == "HEAD" else response.content_length
        response.headers.extend(self.close(environ[_CALL], method, route, environ["PATH_INFO"], status, size))
        if method != "POST":
            response.headers.setdefault("Cache-Control", "no-store")
        note("")
        return response

    def close(
        self, call: Call, method: str, route: str, path: str, status: int, size: int | None
    ) -> list[tuple[str, str]]:
        """Counts and logs a request that has been answered; the headers that every answer has.

        route: the rule that matched, empty where none did. size: bytes of the body, None where that is not known.
        """
        headers = [
            ("X-Content-Type-Options", "nosniff"),
            (HEADER, call.request.id),
            *self._cors.headers(call.origin),
        ]
        if call.windows:
            headers.append(("RateLimit-Policy", policy_header(call.windows)))
            headers.append(("RateLimit", limit_header(call.windows)))
        if call.timings:
            stages = [f"{name};dur={seconds * 1000:.3f}" for name, seconds in call.timings.items()]
            headers.append(("Server-Timing", ", ".join(stages)))
        self._patience.settle(call.budget)
        seconds = time.perf_counter() - call.started
        self._metrics.request(method, route, status, seconds)
        if call.key is not None:
            self._usage.request(call.key.id, pdf=PDF in call.timings)
        if self._access_log is not None and (self._log_probes or route not in PROBES or status != _OK):
            key = "" if call.key is None else call.key.id
            self._access_log.write(
                access_line(
                    request=call.request,
                    method=method,
                    route=route,
                    path=path,
                    status=status,
                    size=size,
                    seconds=seconds,
                    address=call.address,
                    key=key,
                    model=call.model,
                    cache=call.outcome,
                )
            )
        return headers
