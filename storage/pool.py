"""Connections lent to one call at a time, however many threads there are, and none of them open across a fork."""

import functools
import os
import threading
import time
import weakref
from collections.abc import Callable
from typing import Final, Generic, TypeVar

T = TypeVar("T")

DRAIN_SECONDS: Final = 5.0
"""How long closing or forking waits for calls in progress."""

_pools: "weakref.WeakSet[Pool[object]]" = weakref.WeakSet()


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
        _pools.add(self)  # type: ignore[arg-type]
        _watch_forks()

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

    def _before_fork(self) -> None:
        self._changed.acquire()
        self._drain()

    def _after_fork_in_parent(self) -> None:
        self._resume()
        self._changed.release()

    def _after_fork_in_child(self) -> None:
        self._changed = threading.Condition(threading.Lock())
        self._lent = 0
        self._draining = False


@functools.cache
def _watch_forks() -> None:
    os.register_at_fork(before=_before_fork, after_in_parent=_after_in_parent, after_in_child=_after_in_child)


_forking = threading.Lock()
_held: list[Pool[object]] = []


def _before_fork() -> None:
    _forking.acquire()
    _held[:] = _pools
    for pool in _held:
        pool._before_fork()


def _after_in_parent() -> None:
    while _held:
        _held.pop()._after_fork_in_parent()
    _forking.release()


def _after_in_child() -> None:
    while _held:
        _held.pop()._after_fork_in_child()
    _forking.release()
