"""A test client that asks the lane before Flask, and holds it to what Flask then answers."""

import re
from http import HTTPStatus
from typing import Any, Final

from flask.testing import FlaskClient
from werkzeug.test import EnvironBuilder, TestResponse

from service.access.gate import Gate
from service.access.limiter import make_limiter, strategy_of
from service.access.ratelimits import RateLimits
from service.front.held import Held, Room
from service.front.lane import Lane
from service.front.parsing import SMALL, Request
from service.predicting.predictor import Predictor
from service.telemetry.metrics import Metrics
from service.telemetry.usage import UsageMeter
from storage.backends.memory import MemoryBackend
from storage.records.usage import Usages

LOOSE: Final = "1000000 per day"
VARYING: Final = {"Server-Timing", "RateLimit", "RateLimit-Policy", "X-Request-ID"}
"""Headers whose values tell of the one request, or of limits that here are others; their names are compared."""


class LaneClient(FlaskClient):
    """Counts in `answered` how many requests the lane knew the answer to."""

    lane: Lane
    answered = 0

    def open(self, *args: Any, **kwargs: Any) -> TestResponse:
        """What Flask answers; the lane, if it answers, must say the same."""
        reply = None
        plain = kwargs.get("json") is not None or isinstance(kwargs.get("data"), str | bytes)
        if plain and len(args) == 1 and isinstance(args[0], str):
            builder = EnvironBuilder(args[0], **kwargs, environ_base=self.environ_base)
            reply = self._ask_lane(builder)
            kwargs, args = {}, (builder,)
        response = super().open(*args, **kwargs)
        if reply is not None and response.status_code != HTTPStatus.TOO_MANY_REQUESTS:  # its limits are others
            type(self).answered += 1
            status, headers, body = reply
            assert (status, body) == (response.status_code, response.data)
            theirs = dict(response.headers)
            assert {**headers, "Content-Length": str(len(body))}.keys() == theirs.keys()
            assert {name: value for name, value in headers.items() if name not in VARYING} == {
                name: theirs[name] for name in headers if name not in VARYING
            }
            stages = [re.findall(r"(\w+);dur=", one["Server-Timing"]) for one in (headers, theirs)]
            assert stages[0] == stages[1]
        return response

    def _ask_lane(self, builder: EnvironBuilder) -> tuple[int, dict[str, str], bytes] | None:
        environ = builder.get_environ()
        content = environ["wsgi.input"].read()
        environ["wsgi.input"].seek(0)
        if len(content) > SMALL:
            return None
        body = Held(Room())
        body.write(content)
        names = {"CONTENT_TYPE": "content-type", "CONTENT_LENGTH": "content-length"}
        headers = {
            names.get(name, name.removeprefix("HTTP_").lower().replace("_", "-")): value
            for name, value in environ.items()
            if name in names or name.startswith("HTTP_")
        }
        request = Request(environ.get("REMOTE_ADDR", ""), body, environ["REQUEST_METHOD"], environ["PATH_INFO"])
        request.query, request.headers = environ["QUERY_STRING"], {n: str(v) for n, v in headers.items() if v}
        reply = self.lane(request)
        reply = reply() if callable(reply) else reply
        return None if reply is None else (reply.status, dict(reply.headers), reply.body)


class NoMeter(UsageMeter):
    """Counts nothing."""

    def request(self, key: str, *, pdf: bool = False) -> None:
        pass

    def answer(self, key: str, *, hit: bool, model_seconds: float) -> None:
        pass


def make_lane(services: Any) -> Lane:
    """A lane of these services that counts nothing: its limits and metrics are its own."""
    metrics = Metrics()
    limiter = make_limiter("memory://", MemoryBackend(), dict.fromkeys(("ip", "key", "inference"), LOOSE))
    limits = RateLimits(strategy_of(limiter), ip=LOOSE, key=LOOSE, inference=LOOSE)
    meter = NoMeter(Usages(MemoryBackend()), services.keys)
    predictor = Predictor(services.predictions, services.memory, metrics, meter, flight_timeout=1.0)
    gate = Gate(services.authenticator, limits, metrics, meter, None, services.cors, services.patience)
    return Lane(services.models, predictor, services.authenticator, limits, gate, hops=0, near=False)
