"""Connections lent to one call at a time, however many threads there are, and none of them open across a fork."""

import threading
import time
from collections.abc import Callable
from typing import Final, Generic, TypeVar

from storage import forks

T = TypeVar("T")

DRAIN_SECONDS: Final = 5.0
"""How long closing or forking waits for calls in progress."""


class Pool(Generic[T]):
    """As many connections as there were calls at once; a thread that ends leaves none behind.

    Before a fork the idle ones are closed, calls in progress waited for and new ones held up: SQLite's bookkeeping of
    file locks is per process and wrong in a child that inherits it (sqlite.org/howtocorrupt.html, section 2.6).
    """

    def __init__(self, connect: Callable[[], T], disconnect: Callable[[T], None]) -> None:
        self._connect = connect
        self._disconnect = disconnect
        self._changed = threading.Condition(threading.Lock())
        self._idle: list[T] = []
        self._lent = 0
        self._draining = False
        forks.watch(self)

    def take(self) -> T:
        """A connection for the caller alone, who hands it to give() or discard(). Raises what connecting raises."""
        with self._changed:
            while self._draining:
                self._changed.wait()
            self._lent += 1
            if self._idle:
                return self._idle.pop()
        try:
            return self._connect()
        except BaseException:
            self._returned(None)
            raise

    def give(self, connection: T) -> None:
        """Take back a connection in good order."""
        self._returned(connection)

    def discard(self, connection: T) -> None:
        """Take back a connection that is not to be used again, and close it."""
        try:
            self._disconnect(connection)
        finally:
            self._returned(None)

    def close(self) -> None:
        """Close all connections, after the calls in progress. Later calls open new ones."""
        with self._changed:
            self._drain()
            self._resume()

    def _returned(self, connection: T | None) -> None:
        with self._changed:
            self._lent -= 1
            if connection is not None:
                self._idle.append(connection)
            if self._draining:
                self._changed.notify_all()

    def _drain(self) -> None:
        self._draining = True
        deadline = time.monotonic() + DRAIN_SECONDS
        while self._lent and (left := deadline - time.monotonic()) > 0:
            self._changed.wait(left)
        while self._idle:
            self._disconnect(self._idle.pop())

    def _resume(self) -> None:
        self._draining = False
        self._changed.notify_all()

    def before_fork(self) -> None:
        """See Forkable."""
        self._changed.acquire()
        self._drain()

    def after_fork_in_parent(self) -> None:
        """See Forkable."""
        self._resume()
        self._changed.release()

    def after_fork_in_child(self) -> None:
        """See Forkable."""
        self._changed = threading.Condition(threading.Lock())
        self._lent = 0
        self._draining = False
