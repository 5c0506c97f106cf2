"""A line of the access log: one JSON object a request, of which nothing that a client sends can make two."""

import json
import re
import time
from functools import lru_cache
from typing import Final

from service.telemetry.request_ids import RequestId

LONGEST_PATH: Final = 80
LONGEST_METHOD: Final = 20

_SECRET: Final = re.compile(r"abs_\w+", re.IGNORECASE)

_quoted = lru_cache(4096)(json.dumps)
"""For texts of which there are few: routes, methods, addresses, models, the ids of keys."""


def access_line(
    *,
    request: RequestId,
    method: str,
    route: str,
    path: str,
    status: int,
    size: int | None,
    seconds: float,
    address: str,
    key: str = "",
    model: str = "",
    cache: str = "",
) -> str:
    """The line, without its end.

    route: the rule that matched. Where none did, the start of `path` stands in its place, without what looks like an
    API key. size: bytes of the body that was sent, None where that is not known. key: the id of the one that was good.
    cache: how the answer came about.
    """
    place = f'"route": {_quoted(route)}' if route else f'"path": {json.dumps(_shown(path))}'
    more = "" if size is None else f', "bytes": {size}'
    if key:
        more += f', "key": {_quoted(key)}'
    if model:
        more += f', "model": {_quoted(model)}'
    if cache:
        more += f', "cache": {_quoted(cache)}'
    if request.trace:
        more += f', "trace": "{request.trace}"'
    return (
        f'{{"time": "{iso_time(time.time())}", "request": "{request.id}", '
        f'"method": {_quoted(method[:LONGEST_METHOD])}, {place}, "status": {status}, '
        f'"ms": {seconds * 1000:.3f}, "ip": {_quoted(address)}{more}}}'
    )


def iso_time(now: float) -> str:
    """Unix time as ISO 8601 has it, in UTC, with milliseconds."""
    seconds = int(now)
    return f"{_to_the_second(seconds)}.{int((now - seconds) * 1000):03d}Z"


@lru_cache(4)
def _to_the_second(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


def _shown(path: str) -> str:
    return _SECRET.sub("abs_…", path)[:LONGEST_PATH]
