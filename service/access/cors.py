"""Which pages of other origins may read answers (CORS, https://fetch.spec.whatwg.org/#http-cors-protocol).

No key goes along by itself, as a cookie would, so credentials are never allowed. Ours, since flask-cors knows Flask's
answers only: not those of the lane, nor what the server refuses before Flask.
"""

import re
from collections.abc import Collection, Mapping
from typing import Any, Final

ANY: Final = "*"
EXPOSED: Final = (
    "Accept-Ranges, Age, Cache-Status, Content-Range, ETag, Last-Modified, Location, Preference-Applied, RateLimit, "
    "RateLimit-Policy, Retry-After, Server-Timing, WWW-Authenticate, X-Request-ID"
)
"""Headers of answers that a page may read besides those that it always may."""
METHODS: Final = "GET, HEAD, POST, PUT, PATCH, DELETE"
ASKED: Final = (
    "Authorization, Cache-Control, Content-Type, Idempotency-Key, If-None-Match, Prefer, Range, X-API-Key, "
    "X-Request-ID, traceparent"
)
"""Headers that a page may send, where it does not say which it would."""
MAX_AGE: Final = "7200"
"""Seconds for which a browser need not ask again; no browser keeps it for longer."""

_NAMES: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~, -]{1,4096}")


class Cors:
    """Answers for pages of `origins`, as a browser writes them (`https://a.example:8443`); `*` is any; empty: none."""

    def __init__(self, origins: Collection[str]) -> None:
        self._any = ANY in origins
        self._origins = frozenset(origins)
        self._of_others = [("Vary", "Origin")] if origins and not self._any else []

    def headers(self, origin: str | None) -> list[tuple[str, str]]:
        """What an answer to a request with this Origin says."""
        if not self._allows(origin):
            return self._of_others
        allowed = ANY if self._any else str(origin)
        return [
            *self._of_others,
            ("Access-Control-Allow-Origin", allowed),
            ("Access-Control-Expose-Headers", EXPOSED),
        ]

    def preflight(self, environ: Mapping[str, Any]) -> list[tuple[str, str]] | None:
        """What the answer to a preflight says besides `headers`; None if the request is none, or of another origin."""
        asks = environ["REQUEST_METHOD"] == "OPTIONS" and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in environ
        if not asks or not self._allows(environ.get("HTTP_ORIGIN")):
            return None
        asked = environ.get("HTTP_ACCESS_CONTROL_REQUEST_HEADERS", "")
        return [
            ("Access-Control-Allow-Methods", METHODS),
            ("Access-Control-Allow-Headers", asked if _NAMES.fullmatch(asked) else ASKED),
            ("Access-Control-Max-Age", MAX_AGE),
        ]

    def _allows(self, origin: str | None) -> bool:
        return origin is not None and (self._any or origin in self._origins)
