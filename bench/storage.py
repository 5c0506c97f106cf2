"""What each Backend costs over its bare driver: python -m bench.storage [sqlite] [couchbase]

Gets and puts of a stored prediction's size, one thread, both sides in turn within one run; the figures are medians of
rounds, so that what else the machine does falls on both. Where Couchbase is: see bench.cluster.
"""

import itertools
import sqlite3
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

from bench.cluster import CONNECT_TIMEOUT, TIMEOUT, couchbase_cluster
from storage.backends.couchbase.cluster import Connection
from storage.backends.couchbase.nodes import Nodes
from storage.backends.couchbase.url import CouchbaseUrl
from storage.backends.sqlite.backend import SQLiteBackend
from storage.base import Backend, Options
from storage.breaker import PAUSE

KEYS = [f"arxiv-mini/0/{n:064x}" for n in range(1000)]
# Three in turn over a thousand keys, so that no put repeats what is there: SQLite skips the write of equal bytes.
_VALUES = itertools.cycle(
    b'{"scores":[' + b",".join(b"0.%d0000000149011612" % digit for _ in range(20)) + b"]}" for digit in (1, 2, 3)
)
ROUNDS = 15

_UPSERT = "INSERT INTO entries VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"

Operation = Callable[[str], object]


@dataclass(frozen=True)
class Side:
    """A get and a put by key, of one way to reach a store."""

    get: Operation
    put: Operation


@dataclass(frozen=True)
class Pair:
    """A backend and the driver beneath it."""

    backend: Side
    bare: Side


def of_backend(backend: Backend) -> Side:
    """Through the contract of storage.base."""
    return Side(lambda key: backend.get("results", key), lambda key: backend.put("results", key, next(_VALUES)))


@contextmanager
def sqlite(folder: Path) -> Iterator[Pair]:
    """Against one connection, the same journal, and the plainest table there is."""
    backend = SQLiteBackend(folder / "backend.db")
    bare = sqlite3.connect(folder / "bare.db", isolation_level=None)
    for statement in (
        "PRAGMA journal_mode = WAL",
        "PRAGMA synchronous = NORMAL",
        "CREATE TABLE entries (key TEXT PRIMARY KEY, value BLOB)",
    ):
        bare.execute(statement)
    side = Side(
        lambda key: bare.execute("SELECT value FROM entries WHERE key = ?", (key,)).fetchone(),
        lambda key: bare.execute(_UPSERT, (key, next(_VALUES))),
    )
    try:
        yield Pair(of_backend(backend), side)
    finally:
        bare.close()
        backend.close()


@contextmanager
def couchbase(_: Path) -> Iterator[Pair]:
    """Against the SDK's own get and upsert, with the same options, in another collection of the same scope."""
    with couchbase_cluster() as cluster:
        backend = cluster.backend()
        options = Options(cluster.username, cluster.password, TIMEOUT, CONNECT_TIMEOUT, None)
        bare = Connection.open(CouchbaseUrl.parse(urlsplit(cluster.url)), options, Nodes(PAUSE))
        collection = bare.collections["jobs"].sdk
        side = Side(collection.get, lambda key: collection.upsert(key, next(_VALUES)))
        try:
            yield Pair(of_backend(backend), side)
        finally:
            bare.close()
            backend.close()


PAIRS: dict[str, Callable[[Path], AbstractContextManager[Pair]]] = {"sqlite": sqlite, "couchbase": couchbase}


def seconds_per_call(operation: Operation) -> float:
    """The mean over all keys."""
    started = time.perf_counter()
    for key in KEYS:
        operation(key)
    return (time.perf_counter() - started) / len(KEYS)


def in_turn(first: Operation, second: Operation) -> tuple[float, float]:
    """The median seconds per call of each, taking turns in going first."""
    times: tuple[list[float], list[float]] = ([], [])
    sides = ((first, times[0]), (second, times[1]))
    for number in range(ROUNDS):
        for operation, measured in sides if number % 2 else reversed(sides):
            measured.append(seconds_per_call(operation))
    return statistics.median(times[0]), statistics.median(times[1])


def report(name: str, pair: Pair) -> Iterator[str]:
    """One line an operation. Puts come first, and leave what gets find."""
    for operation in ("put", "get"):
        ours, bare = in_turn(getattr(pair.backend, operation), getattr(pair.bare, operation))
        yield f"{name:10} {operation:4} {ours * 1e6:8.1f} {bare * 1e6:8.1f} {1 / ours:10.0f} {ours / bare:6.2f}"


def main() -> None:
    """Print the table."""
    print(f"{'store':10} {'':4} {'us':>8} {'bare us':>8} {'calls/s':>10} {'ratio':>6}")
    for name in sys.argv[1:] or PAIRS:
        with TemporaryDirectory() as folder, PAIRS[name](Path(folder)) as pair:
            for line in report(name, pair):
                print(line)


if __name__ == "__main__":
    main()
