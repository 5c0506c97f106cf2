"""`store check`: does the store do what is asked of it, and how fast?"""

import statistics
import time
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Final

import click

from service.cli.common import json_option, print_json, print_table, services
from storage.base import Backend
from storage.errors import Conflict, StorageError

ROUNDS: Final = 20
NAMESPACE: Final = "limits"
"""The one that no backend lists, so that a check leaves no trace in an index."""
TTL: Final = timedelta(minutes=1)


@click.command()
@json_option
def check(as_json: bool) -> None:
    """Write, read, replace, count and delete, and tell how long each took."""
    with services() as opened:
        url, backend = opened.settings.store_url, opened.backend
        started = time.perf_counter()
        backend.verify()
        connect = (time.perf_counter() - started) * 1000
        timings = _measure(backend)
        versions = backend.versions()
    rows = [("connect", connect, connect), *((name, statistics.median(ms), max(ms)) for name, ms in timings.items())]
    if as_json:
        steps = {name: {"median_ms": round(mid, 3), "max_ms": round(most, 3)} for name, mid, most in rows}
        print_json({"store": url, "versions": versions, "steps": steps})
        return
    drivers = ", ".join(f"{name} {number}" for name, number in versions.items())
    print_table(("STEP", "MEDIAN ms", "MAX ms"), rows, title=f"{url} ({drivers})")


def _measure(backend: Backend) -> dict[str, list[float]]:
    """Milliseconds of each step in each round; StorageError where the store does not do what it should."""
    timings: dict[str, list[float]] = {}

    def timed(name: str, step: Callable[[], object]) -> None:
        started = time.perf_counter()
        step()
        timings.setdefault(name, []).append((time.perf_counter() - started) * 1000)

    for _ in range(ROUNDS):
        key = f"check/{uuid.uuid4().hex}"
        try:
            _round(backend, key, timed)
        finally:
            backend.remove(NAMESPACE, key)
            backend.remove(NAMESPACE, f"{key}/counter")
    return timings


def _round(backend: Backend, key: str, timed: Callable[[str, Callable[[], object]], None]) -> None:
    first, second = b'{"check":1}', b'{"check":2}'
    timed("put", lambda: backend.put(NAMESPACE, key, first, TTL))
    timed("get", lambda: backend.get(NAMESPACE, key))
    entry = backend.get(NAMESPACE, key)
    if entry is None or entry.value != first:
        raise StorageError(f"the store gave back {entry and entry.value!r} where {first!r} was put")
    timed("replace", lambda: backend.replace(NAMESPACE, key, second, entry.version, TTL))
    timed("refuse a stale version", lambda: _stale(backend, key, entry.version))
    counter = f"{key}/counter"
    timed("count", lambda: backend.increment(NAMESPACE, counter, 2, TTL))
    if backend.counter(NAMESPACE, counter)[0] != 2:
        raise StorageError("the store does not count right")
    timed("delete", lambda: backend.remove(NAMESPACE, key))
    if backend.get(NAMESPACE, key) is not None:
        raise StorageError("the store still has what was deleted")


def _stale(backend: Backend, key: str, version: int) -> None:
    try:
        backend.replace(NAMESPACE, key, b'{"check":3}', version, TTL)
    except Conflict:
        return
    raise StorageError("the store let a stale version be replaced: writers would undo each other's work")
