"""A process of its own for the SQLite tests: python -m tests.storage.backends.sqlite_child COMMAND PATH ARGUMENT...

work PATH N         a fixed series of writes, each announced on standard output once acknowledged; the process kills
                    itself with SIGKILL just before SQLite begins its N-th statement
hammer PATH T R     T threads making R rounds of writes each
"""

import json
import os
import signal
import sqlite3
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from storage.backends.sqlite.backend import SQLiteBackend
from storage.base import Backend
from storage.errors import Conflict

KEYS = [f"k{n}" for n in range(6)]
PATIENCE = timedelta(seconds=30)


def value(key: str) -> bytes:
    """What is stored under a key."""
    return json.dumps({"key": key, "fill": "x" * 2000}).encode()


def steps(backend: Backend) -> Iterator[str]:
    """Writes of every kind; yields what has been acknowledged."""
    for key in KEYS:
        backend.put("results", key, value(key))
        yield f"put {key}"
        backend.add("keys", key, value(key))
        yield f"add {key}"
        backend.increment("limits", "counter")
        yield "increment"
    backend.remove("results", KEYS[0])
    yield f"remove {KEYS[0]}"


def work(path: Path, number: int) -> None:
    """Write and die."""
    _kill_before(number)
    backend = SQLiteBackend(path)
    for step in steps(backend):
        sys.stdout.write(step + "\n")
        sys.stdout.flush()
    backend.close()


def hammer(path: Path, threads: int, rounds: int) -> None:
    """Increment, replace and add at the same time as everyone else."""
    backend = SQLiteBackend(path, timeout=PATIENCE)
    failures: list[BaseException] = []

    def run(thread: int) -> None:
        try:
            for n in range(rounds):
                backend.increment("limits", "all")
                backend.add("results", f"{os.getpid()}-{thread}-{n}", value("any"))
                add_one(backend)
        except BaseException as exc:  # noqa: BLE001 (whatever it is, the process must fail for it)
            failures.append(exc)

    workers = [threading.Thread(target=run, args=(n,)) for n in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    backend.close()
    if failures:
        raise failures[0]


def add_one(backend: Backend) -> None:
    """Add one to a number in a document, by compare and swap."""
    while True:
        entry = backend.get("jobs", "document")
        if entry is None:
            if backend.add("jobs", "document", b'{"n": 1}'):
                return None
            continue
        try:
            changed = json.dumps({"n": json.loads(entry.value)["n"] + 1}).encode()
            return backend.replace("jobs", "document", changed, entry.version)
        except Conflict:
            continue


def _kill_before(number: int) -> None:
    """Have SQLite report every statement that it begins, the schema's own included, and die at one of them."""
    begun = 0
    connect: Callable[..., sqlite3.Connection] = sqlite3.connect

    def on_statement(_: str) -> None:
        nonlocal begun
        begun += 1
        if begun == number:
            os.kill(os.getpid(), signal.SIGKILL)

    def traced(*args: Any, **kwargs: Any) -> sqlite3.Connection:
        connection = connect(*args, **kwargs)
        connection.set_trace_callback(on_statement)
        return connection

    sqlite3.connect = traced  # type: ignore[assignment]


def main(command: str, path: str, *numbers: str) -> None:
    """Run one of the commands."""
    {"work": work, "hammer": hammer}[command](Path(path), *map(int, numbers))  # type: ignore[operator]


if __name__ == "__main__":
    main(*sys.argv[1:])
