"""The backend for one machine: a SQLite file, shared by any number of threads and processes.

Write-ahead log with synchronous=NORMAL: every statement is a transaction of its own, a process killed at any moment
loses nothing that was acknowledged, and a power cut may lose the last commits but never damages the file.
"""

import json
import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from storage.backends.sqlite import schema, statements
from storage.backends.sqlite.pool import Pool
from storage.base import (
    Backend,
    Countable,
    Entry,
    Scannable,
    check_amount,
    check_key,
    check_namespace,
    check_ttl,
)
from storage.errors import Conflict, Corrupt, Unavailable

logger = logging.getLogger(__name__)

Row = tuple[Any, ...]

PURGE_STEP: Final = 200
"""How many expired entries are deleted in one go, so that no write waits long for the purge."""

PURGE_INTERVAL: Final = 30.0
"""Seconds between two looks for expired entries, unless the last one found more than a step's worth."""

SCAN_PAGE: Final = 500


class SQLiteBackend(Backend, Countable, Scannable):
    """Entries in the SQLite file at `path`, which is created with its folders when first used.

    `busy_timeout` is how long a call waits for other writers before Unavailable. `now` gives unix seconds.
    """

    def __init__(
        self,
        path: Path,
        *,
        busy_timeout: timedelta = timedelta(seconds=2),
        now: Callable[[], float] = time.time,
    ) -> None:
        self._path = path.absolute()
        self._busy_timeout = busy_timeout.total_seconds()
        self._now = now
        self._purge_at = 0.0
        # Threads of one process take turns here, which is fairer and faster than SQLite's polling for its lock.
        self._writing = threading.Lock()
        self._pool: Pool[sqlite3.Connection] = Pool(self._connect, sqlite3.Connection.close)

    def get(self, namespace: str, key: str) -> Entry | None:
        check_key(namespace, key)
        rows = self._run(statements.GET, (namespace, key, self._now()))
        return _entry(key, *rows[0]) if rows else None

    def get_many(self, namespace: str, keys: Sequence[str]) -> dict[str, Entry]:
        for key in keys:
            check_key(namespace, key)
        rows = self._run(statements.GET_MANY, (namespace, json.dumps(keys), self._now()))
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
        rows = self._run(statements.COUNTER, (namespace, key, self._now()))
        if not rows:
            return 0, None
        content, expires_at = rows[0]
        if not isinstance(content, int):
            raise Corrupt(f"{namespace}/{key} is a value, not a counter")
        return content, expires_at

    def touch(self, namespace: str, key: str, ttl: timedelta | None) -> bool:
        check_key(namespace, key)
        return bool(self._write(statements.TOUCH, (self._expiry(ttl), namespace, key, self._now())))

    def ping(self) -> None:
        self._run(statements.PING, ())

    def close(self) -> None:
        self._pool.close()

    def count(self, namespace: str) -> int:
        check_namespace(namespace)
        return int(self._run(statements.COUNT, (namespace, self._now()))[0][0])

    def scan(self, namespace: str, prefix: str = "") -> Iterator[tuple[str, Entry]]:
        check_namespace(namespace)
        after, statement = prefix, statements.SCAN_FROM
        while True:
            rows = self._run(statement, (namespace, after, self._now(), SCAN_PAGE))
            for key, content, version in rows:
                if not key.startswith(prefix):
                    return
                yield key, Entry(content, version)
            if len(rows) < SCAN_PAGE:
                return
            after, statement = rows[-1][0], statements.SCAN_AFTER

    def purge_expired(self, limit: int = PURGE_STEP) -> int:
        """Delete up to `limit` expired entries of any namespace; how many there were."""
        return len(self._run_in_turn(statements.PURGE, (self._now(), limit)))

    def _expiry(self, ttl: timedelta | None) -> float | None:
        seconds = check_ttl(ttl)
        return None if seconds is None else self._now() + seconds

    def _connect(self) -> sqlite3.Connection:
        try:
            return schema.connect(self._path, self._busy_timeout)
        except sqlite3.Error as exc:
            raise schema.translate(exc, self._path) from exc

    def _write(self, statement: str, parameters: tuple[object, ...]) -> list[Row]:
        """The rows that the statement's RETURNING clause gives: one if it took effect, none if not."""
        rows = self._run_in_turn(statement, parameters)
        if self._now() >= self._purge_at:
            self._purge_a_step()
        return rows

    def _purge_a_step(self) -> None:
        try:
            more = self.purge_expired() == PURGE_STEP
        except Unavailable:
            logger.warning("expired entries of %s were not deleted this time", self._path, exc_info=True)
            more = False
        self._purge_at = 0.0 if more else self._now() + PURGE_INTERVAL

    def _run(self, statement: str, parameters: tuple[object, ...]) -> list[Row]:
        return self._lend(lambda connection: connection.execute(statement, parameters).fetchall())

    def _run_in_turn(self, statement: str, parameters: tuple[object, ...]) -> list[Row]:
        """Like _run, one thread at a time. Lent first, so that no fork finds the lock taken."""

        def work(connection: sqlite3.Connection) -> list[Row]:
            if not self._writing.acquire(timeout=self._busy_timeout):
                raise Unavailable(f"{self._path}: other threads have been writing for {self._busy_timeout} s")
            try:
                return connection.execute(statement, parameters).fetchall()
            finally:
                self._writing.release()

        return self._lend(work)

    def _lend(self, work: Callable[[sqlite3.Connection], list[Row]]) -> list[Row]:
        connection = self._pool.take()
        try:
            rows = work(connection)
        except BaseException as exc:
            self._pool.discard(connection)
            if isinstance(exc, sqlite3.Error):
                raise schema.translate(exc, self._path) from exc
            raise
        self._pool.give(connection)
        return rows


def _entry(key: str, content: bytes | int, version: int) -> Entry:
    if isinstance(content, int):
        raise Corrupt(f"{key} is a counter, not a value")
    return Entry(content, version)
