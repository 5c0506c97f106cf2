"""The lane before Flask: answers from stored predictions what needs nothing else, and never says no.

What it does not know it passes on, untouched and uncounted; Flask stays the description of the API. The work itself is
done by the functions that the routes use, so answers and headers are the same.
"""

import math
import time
from collections.abc import Mapping
from typing import Final

from service.access.addresses import client_address
from service.access.auth import Authenticator, presented_key
from service.access.gate import EARLIER, Call, Gate
from service.access.ratelimits import RateLimits
from service.api.responses import CONTENT_TYPE, answer_headers
from service.errors import ServiceError
from service.front.answering import Later, Reply
from service.front.parsing import Request
from service.predicting.answers import Answer
from service.predicting.models import Models, ServedModel
from service.predicting.predictor import Predictor
from service.predicting.rendering import RenderOptions, render
from service.predicting.requests import plain_request
from service.telemetry.request_ids import identify
from storage.deadline import within
from storage.records.apikeys import ApiKey

ROUTES: Final = {"/api/predict/": "/api/predict/", "/api/predict": "/api/predict/"}
"""Addresses of the default model, and the rule that stands for them in the log and the metrics."""
NAMED: Final = "/api/models/"
PREDICT: Final = "/predict"
NAMED_ROUTE: Final = "/api/models/<model>/predict"
SLOW_SECONDS: Final = 0.02
WARY_SECONDS: Final = 5.0
"""For so long after a look into a near store that took so long, a thread looks, as into one far away."""
FOR_FLASK: Final = ("cache-control", "prefer", "content-encoding", "expect")
"""Request headers that ask for more than a stored answer."""


class Lane:
    """Called with each small request, on the event loop: it waits for nothing but a near store that answers at once."""

    def __init__(
        self,
        models: Models,
        predictor: Predictor,
        authenticator: Authenticator,
        limits: RateLimits,
        gate: Gate,
        *,
        hops: int,
        near: bool,
    ) -> None:
        """`hops`: the proxies in front, whose X-Forwarded-For is believed. `near`: the store is on this machine."""
        self._models = models
        self._predictor = predictor
        self._authenticator = authenticator
        self._limits = limits
        self._gate = gate
        self._hops = hops
        self._wary_until = 0.0 if near else math.inf

    def __call__(self, request: Request) -> Reply | Later | None:
        """The answer; or what looks into the store, for a thread to run; None if the request is not for here."""
        if request.method != "POST" or request.query:
            return None
        route, model = self._model_of(request.path)
        if model is None or not _is_plain(request.headers):
            return None
        headers = request.headers
        id = identify(headers.get("x-request-id"), headers.get("traceparent"))
        call = self._gate.begin(self._address(request), id, headers.get("origin"))
        call.key = self._key_of(headers)
        if call.key is None or "predict" not in call.key.scopes:
            return None
        call.timings["auth"] = time.perf_counter() - call.started
        asked = plain_request(request.body.content or b"")
        if asked is None:
            return None
        key, options = model.key(asked[0].text), asked[1]
        answer = self._predictor.recall(model, key)
        if answer is not None:
            return self._reply(call, route, answer, options)

        def find() -> Reply | None:
            request.environ[EARLIER] = call
            with within(call.budget):
                stored = self._predictor.fetch(model, key)
            if stored is not None:
                return self._reply(call, route, stored, options)
            call.absent = key
            return None

        return find if time.monotonic() < self._wary_until else self._find_here(find)

    def _find_here(self, find: Later) -> Reply | None:
        """Looks into a store that answers in less time than it takes to have a thread do it, as long as it does."""
        started = time.monotonic()
        reply = find()
        ended = time.monotonic()
        if ended - started > SLOW_SECONDS:
            self._wary_until = ended + WARY_SECONDS
        return reply

    def _model_of(self, path: str) -> tuple[str, ServedModel | None]:
        route = ROUTES.get(path)
        if route is not None:
            return route, self._models.opened(None)
        if path.startswith(NAMED) and path.endswith(PREDICT):
            return NAMED_ROUTE, self._models.opened(path[len(NAMED) : -len(PREDICT)])
        return "", None

    def _address(self, request: Request) -> str:
        return client_address(request.client, request.headers.get("x-forwarded-for"), self._hops)

    def _key_of(self, headers: Mapping[str, str]) -> ApiKey | None:
        try:
            presented = presented_key(headers.get("authorization"), headers.get("x-api-key"))
        except ServiceError:
            return None
        return self._authenticator.remembered(presented)

    def _reply(self, call: Call, route: str, answer: Answer, options: RenderOptions) -> Reply | None:
        """The answer, counted, if the limits have room for it without asking the store."""
        assert call.key is not None  # noqa: S101  (the caller has looked)
        windows = self._limits.spend_here(call.address, call.key)
        if windows is None:
            return None
        call.windows = windows
        call.answered(answer.model.name, answer.outcome, answer.timings)
        self._predictor.count(answer, call.key)
        body = render(answer, options)
        headers = [("Content-Type", CONTENT_TYPE), *answer_headers(answer, options)]
        headers += self._gate.close(call, "POST", route, "", 200, len(body))
        return Reply(200, headers, body)


def _is_plain(headers: Mapping[str, str]) -> bool:
    """Whether the request is one that the lane understands as a route would."""
    return headers.get("content-type") == "application/json" and not any(name in headers for name in FOR_FLASK)
