"""The connections of a process to one SQLite file, and whether it is still the file that they were made to."""

import contextlib
import logging
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from storage import forks
from storage.backends.sqlite import schema
from storage.errors import Unavailable

logger = logging.getLogger(__name__)

LOOK_EVERY: Final = 1.0
"""Seconds after which a read looks whether the file has been replaced; a write always does."""

_LOGS: Final = ("-wal", "-shm")
Identity = tuple[int, int]


class Idle(list[sqlite3.Cursor]):
    """Cursors that no call has, one a connection. Taking and giving back need no lock: pop and append have Python's.

    Who gives back one looks afterwards whether the list is `retired`, and then closes it once more.
    """

    retired = False

    def close(self) -> None:
        """Close those that are here, and those of calls in progress when they are given back."""
        self.retired = True
        while self:
            with contextlib.suppress(IndexError):  # another thread was faster
                self.pop().connection.close()


class File:
    """As many connections as there were calls at once; a thread that ends leaves none behind."""

    def __init__(self, path: Path, timeout: float) -> None:
        self.path = path
        self._timeout = timeout
        self._inherited: list[Idle] = []
        self._start()
        forks.begin_anew_in_child(self.begin_in_child)

    def _start(self) -> None:
        self._lock = threading.Lock()
        # Threads of one process take turns here, which is fairer and faster than SQLite's polling for its lock.
        self._writing = threading.Lock()
        self.idle = Idle()
        """Where to take a cursor from and give it back to; connect() when it is empty."""
        self.look_at = 0.0
        """When look() is due, by the monotonic clock."""
        self._identities: dict[str, Identity] = {}

    def look(self) -> Idle:
        """`idle`, after a look whether the file has been replaced. Raises Unavailable if it has been deleted."""
        self.look_at = time.monotonic() + LOOK_EVERY
        known = self._identities.get("")
        found = known and _identity(self.path)
        if found == known:
            return self.idle
        if found is None:
            self.look_at = 0.0
            raise Unavailable(f"{self.path} has been deleted while it was in use: restore it, or start the server anew")
        with self._lock:
            if self._identities.get("") == known:
                logger.warning("%s has been replaced; going on with the new file", self.path)
                self._drop_logs()
                self._begin_anew()
        return self.idle

    def begin_in_child(self) -> None:
        """In a forked process: never touch what it inherited, SQLite's bookkeeping of file locks being per process.

        See sqlite.org/howtocorrupt.html, section 2.6.
        """
        self._inherited.append(self.idle)
        self._start()

    def connect(self) -> sqlite3.Cursor:
        """A cursor of a new connection. Raises what schema.connect raises."""
        connection = schema.connect(self.path, self._timeout, create=not self._identities)
        with self._lock:
            self._remember()
        return connection.cursor()

    @contextlib.contextmanager
    def turn(self, deadline: float, *, hurried: bool = False) -> Iterator[sqlite3.Cursor]:
        """A cursor for one that writes, while no other thread does. Raises as look() and connect(), and Unavailable.

        `deadline`, by the monotonic clock, is for waiting for other threads here and for other processes in SQLite;
        `hurried`: it is nearer than SQLite's own.
        """
        idle = self.look()
        writing = self._writing
        waited = not writing.acquire(blocking=False)
        if waited and not writing.acquire(timeout=max(0.0, deadline - time.monotonic())):
            raise Unavailable(f"{self.path}: other threads have been writing for {self._timeout} s")
        try:
            try:
                cursor = idle.pop()
            except IndexError:
                cursor = self.connect()
            try:
                if waited or hurried:
                    _wait_at_most(cursor, deadline - time.monotonic())
                yield cursor
                if waited or hurried:
                    _wait_at_most(cursor, self._timeout)
            except BaseException:
                cursor.connection.close()
                raise
            idle.append(cursor)
            if idle.retired:
                idle.close()
        finally:
            writing.release()

    def close(self) -> None:
        """Close all connections, those of calls in progress when they end. Later calls open new ones."""
        with self._lock:
            self._begin_anew()

    def _begin_anew(self) -> None:
        retired, self.idle = self.idle, Idle()
        retired.close()
        self._identities = {}

    def _remember(self) -> None:
        found = _identity(self.path)
        if found is None or self._identities.setdefault("", found) != found:
            return  # replaced since: the next look will see it
        for suffix in _LOGS:
            identity = _identity(Path(f"{self.path}{suffix}"))
            if identity is not None:
                self._identities[suffix] = identity

    def _drop_logs(self) -> None:
        """The old file's write-ahead log would be taken for the new one's, and damage it."""
        for suffix in _LOGS:
            log = Path(f"{self.path}{suffix}")
            if suffix in self._identities and _identity(log) == self._identities[suffix]:
                log.unlink(missing_ok=True)


def _wait_at_most(cursor: sqlite3.Cursor, seconds: float) -> None:
    cursor.execute(f"PRAGMA busy_timeout = {max(1, round(seconds * 1000))}").fetchall()


def _identity(path: Path) -> Identity | None:
    """Device and inode; None if there is no such file."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
