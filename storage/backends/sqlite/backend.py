"""The backend for one machine: a SQLite file, shared by any number of threads and processes.

Write-ahead log with synchronous=NORMAL: every statement is a transaction of its own, a process killed at any moment
loses nothing that was acknowledged, and a power cut may lose the last commits but never damages the file.
"""

import json
import logging
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from time import monotonic
from typing import Any, Final

from storage.backends.sqlite import care, schema, statements
from storage.backends.sqlite.file import File
from storage.base import Backend, Entry, Status, check_amount, check_key, check_namespace, check_ttl
from storage.breaker import PAUSE, Breaker
from storage.deadline import bounded, entered
from storage.errors import Conflict, Corrupt, StorageError, Unavailable

logger = logging.getLogger(__name__)

Row = tuple[Any, ...]

PURGE_STEP: Final = 200
"""How many expired entries are deleted in one go, so that no write waits long for the purge."""

PURGE_INTERVAL: Final = 30.0
"""Seconds between two looks for expired entries, unless the last one found more than a step's worth."""

SCAN_PAGE: Final = 500

PING_EVERY: Final = 5.0
"""Seconds for which a ping that wrote and looked through the pages is good while no write fails: the next only read."""

PING_KEY: Final = "ping"

LOOK_SECONDS: Final = 0.1
"""How long a ping looks through the pages, so that it stays short however large the file is."""


class SQLiteBackend(Backend):
    """Entries in the SQLite file at `path`, which is created with its folders when first used.

    `timeout` is how long a call waits for other writers before Unavailable. A file that is deleted while it is in use
    is Unavailable; one that is put in its place is used. `now` gives unix seconds. `pause`: see Breaker.
    """

    shared = True
    near = True

    def __init__(
        self,
        path: Path,
        *,
        timeout: timedelta = timedelta(milliseconds=250),
        now: Callable[[], float] = time.time,
        pause: float = PAUSE,
    ) -> None:
        self._path = path.absolute()
        self._timeout = timeout.total_seconds()
        self._now = now
        self._file = File(self._path, self._timeout)
        self._reads = Breaker("reads", pause=pause)
        self._writes = Breaker("writes", pause=pause)
        self._purge_at = 0.0
        self._ping_at = 0.0

    def get(self, namespace: str, key: str) -> Entry | None:
        check_key(namespace, key)
        for content, version, expires_at in self._read(statements.GET[namespace], (key,)):
            if expires_at is None or expires_at > self._now():
                return Entry(content, version) if content.__class__ is bytes else _entry(key, content, version)
        return None

    def get_many(self, namespace: str, keys: Sequence[str]) -> dict[str, Entry]:
        for key in keys:
            check_key(namespace, key)
        rows = self._read(statements.GET_MANY, (namespace, json.dumps(keys), self._now()))
        return {key: _entry(key, content, version) for key, content, version in rows}

    def put(self, namespace: str, key: str, value: bytes, ttl: timedelta | None = None) -> None:
        check_key(namespace, key)
        self._write(statements.PUT, (namespace, key, value, self._expiry(ttl)))

    def add(self, namespace: str, key: str, value: bytes, ttl: timedelta | None = None) -> bool:
        check_key(namespace, key)
        return bool(self._write(statements.ADD, (namespace, key, value, self._expiry(ttl), self._now())))

    def replace(self, namespace: str, key: str, value: bytes, version: int, ttl: timedelta | None = None) -> None:
        check_key(namespace, key)
        parameters = (value, self._expiry(ttl), namespace, key, version, self._now())
        if not self._write(statements.REPLACE, parameters):
            raise Conflict(f"{namespace}/{key} has changed")

    def remove(self, namespace: str, key: str) -> bool:
        check_key(namespace, key)
        return bool(self._write(statements.REMOVE, (namespace, key, self._now())))

    def increment(self, namespace: str, key: str, amount: int = 1, ttl: timedelta | None = None) -> int:
        check_key(namespace, key)
        check_amount(amount)
        parameters = (namespace, key, amount, self._expiry(ttl), self._now())
        rows = self._write(statements.INCREMENT, parameters)
        if not rows:
            raise Corrupt(f"{namespace}/{key} is a value, not a counter")
        return int(rows[0][0])

    def counter(self, namespace: str, key: str) -> tuple[int, float | None]:
        check_key(namespace, key)
        for content, _, expires_at in self._read(statements.GET[namespace], (key,)):
            if expires_at is None or expires_at > self._now():
                if not isinstance(content, int):
                    raise Corrupt(f"{namespace}/{key} is a value, not a counter")
                return content, expires_at
        return 0, None

    def scan(
        self, namespace: str, prefix: str = "", lost: Callable[[str], None] | None = None
    ) -> Iterator[tuple[str, Entry]]:
        check_namespace(namespace)
        seen: set[str] = set()
        try:
            for key, content, version in self._scan(namespace, prefix):
                if lost is not None:
                    seen.add(key)
                yield key, Entry(content, version)
        except StorageError:
            if lost is None:
                raise
            for key, content, version in care.salvage(self._path, self._timeout, namespace, self._now(), lost):
                if key.startswith(prefix) and key not in seen:
                    yield key, Entry(content, version)

    def _scan(self, namespace: str, prefix: str) -> Iterator[Row]:
        after, statement = prefix, statements.SCAN_FROM
        while True:
            rows = self._read(statement, (namespace, after, self._now(), SCAN_PAGE))
            for row in rows:
                if not row[0].startswith(prefix):
                    return
                yield row
            if len(rows) < SCAN_PAGE:
                return
            after, statement = rows[-1][0], statements.SCAN_AFTER

    def ping(self) -> None:
        self._read(statements.PING, ())
        if monotonic() >= self._ping_at or not self._writes.well:
            # It has expired already, so nobody sees it, and the next purge clears it away.
            self._write(statements.PUT, ("limits", PING_KEY, b"{}", 0.0))
            care.look_through(self._path, self._timeout, LOOK_SECONDS)
            self._ping_at = monotonic() + PING_EVERY

    def verify(self) -> None:
        self._read(statements.PING, ())
        care.look_through(self._path, self._timeout, None)
        self._ping_at = 0.0
        self.ping()

    def backup(self, path: Path) -> None:
        self._read(statements.PING, ())
        care.backup(self._path, path, self._timeout)

    def status(self) -> Status:
        breakers = (self._reads, self._writes)
        return Status(
            {"reads": self._reads.errors, "writes": self._writes.errors},
            tuple(breaker.name for breaker in breakers if breaker.open),
        )

    def versions(self) -> dict[str, str]:
        return {"SQLite": sqlite3.sqlite_version}

    def close(self) -> None:
        self._file.close()

    def purge_expired(self, limit: int = PURGE_STEP) -> int:
        """Delete up to `limit` expired entries of any namespace; how many there were."""
        return len(self._run_in_turn(statements.PURGE, (self._now(), limit)))

    def _expiry(self, ttl: timedelta | None) -> float | None:
        seconds = check_ttl(ttl)
        return None if seconds is None else self._now() + seconds

    def _write(self, statement: str, parameters: tuple[object, ...]) -> list[Row]:
        """The rows that the statement's RETURNING clause gives: one if it took effect, none if not."""
        rows = self._run_in_turn(statement, parameters)
        budget = entered()
        if self._now() >= self._purge_at and (budget is None or not budget.spent):
            self._purge_a_step()
        return rows

    def _purge_a_step(self) -> None:
        try:
            more = self.purge_expired() == PURGE_STEP
        except Unavailable:
            logger.warning("expired entries of %s were not deleted this time", self._path, exc_info=True)
            more = False
        self._purge_at = 0.0 if more else self._now() + PURGE_INTERVAL

    def _read(self, statement: str, parameters: tuple[object, ...]) -> list[Row]:
        breaker, budget = self._reads, entered()
        began = 0.0 if budget is None else budget.begin()
        probe = breaker.open and breaker.admit()
        try:
            file = self._file
            idle = file.idle if monotonic() < file.look_at else file.look()
            try:
                cursor = idle.pop()
            except IndexError:
                cursor = self._file.connect()
            try:
                rows = cursor.execute(statement, parameters).fetchall()
            except BaseException:
                cursor.connection.close()
                raise
            idle.append(cursor)
            if idle.retired:
                idle.close()
        except (sqlite3.Error, StorageError) as exc:
            raise self._failure(breaker, probe, exc) from exc
        finally:
            if budget is not None:
                budget.end(began)
        if not breaker.well:
            breaker.answered(probe)
        return rows

    def _run_in_turn(self, statement: str, parameters: tuple[object, ...]) -> list[Row]:
        """Like _read, one thread at a time; waiting for other threads and other processes is bounded together."""
        with bounded(self._timeout) as seconds:
            probe, hurried = self._writes.admit(), seconds < self._timeout
            try:
                with self._file.turn(monotonic() + seconds, hurried=hurried) as cursor:
                    rows = cursor.execute(statement, parameters).fetchall()
            except (sqlite3.Error, StorageError) as exc:
                raise self._failure(self._writes, probe, exc, hurried=hurried) from exc
        self._writes.answered(probe)
        return rows

    def _failure(
        self, breaker: Breaker, probe: bool, exc: sqlite3.Error | StorageError, *, hurried: bool = False
    ) -> StorageError:
        """What to raise for it, the breaker having been told; with less time than usual, to be late is no failure."""
        error = exc if isinstance(exc, StorageError) else schema.translate(exc, self._path)
        if isinstance(error, Unavailable):
            if not hurried:
                breaker.failed(error)
        else:
            breaker.answered(probe)
        return error


def _entry(key: str, content: bytes | int, version: int) -> Entry:
    if isinstance(content, int):
        raise Corrupt(f"{key} is a counter, not a value")
    return Entry(content, version)
