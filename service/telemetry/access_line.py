"""A line of the access log: one JSON object a request, of which nothing that a client sends can make two."""

import json
import re
import time
from functools import lru_cache
from typing import Final

LONGEST_PATH: Final = 80
LONGEST_METHOD: Final = 20

_SECRET: Final = re.compile(r"abs_\w+", re.IGNORECASE)

_quoted = lru_cache(4096)(json.dumps)
"""For texts of which there are few: routes, methods, addresses, the ids of keys."""


def access_line(
    *, method: str, route: str, path: str, status: int, seconds: float, address: str, key: str = "", cache: str = ""
) -> str:
    """The line, without its end.

    route: the rule that matched. Where none did, the start of `path` stands in its place, without what looks like an
    API key. key: the id of the one that was good. cache: how the answer came about.
    """
    place = f'"route": {_quoted(route)}' if route else f'"path": {json.dumps(_shown(path))}'
    more = f', "key": {_quoted(key)}' if key else ""
    if cache:
        more += f', "cache": {_quoted(cache)}'
    return (
        f'{{"time": {time.time():.3f}, "method": {_quoted(method[:LONGEST_METHOD])}, {place}, "status": {status}, '
        f'"ms": {seconds * 1000:.3f}, "ip": {_quoted(address)}{more}}}'
    )


def _shown(path: str) -> str:
    return _SECRET.sub("abs_…", path)[:LONGEST_PATH]
