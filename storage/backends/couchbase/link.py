"""The one connection of a process to a cluster: made by the first call, shared by all threads, closed at the end.

The SDK's threads do not survive a fork, and whatever touches their connection in the child, if only to free it, waits
for them for ever: a child keeps what it inherited untouched, and makes its own.
"""

import contextlib
import os
import threading
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from storage import forks
from storage.breaker import Breaker
from storage.errors import Unavailable


class Closable(Protocol):
    """What a link holds."""

    def close(self) -> None:
        """Release it."""


C = TypeVar("C", bound=Closable)


@dataclass(slots=True)
class _Held(Generic[C]):
    connection: C
    users: int = 0
    retired: bool = False


class Link(Generic[C]):
    """Lends the connection to calls. One thread connects; those that come meanwhile share its success or failure.

    `patience` in seconds bounds their waiting; `breaker` spares calls the waiting while connecting keeps failing.
    """

    def __init__(self, connect: Callable[[], C], patience: float, breaker: Breaker) -> None:
        self._connect = connect
        self._patience = patience
        self._breaker = breaker
        self._inherited: list[_Held[C]] = []
        self._held: list[_Held[C]] = []  # one or none; the list is what the finalizer knows
        self._reset()
        forks.begin_anew_in_child(self._begin_in_child)
        weakref.finalize(self, _close_at_exit, self._held, os.getpid())

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._connecting = threading.Lock()
        self._failures = 0
        self._failure = ""

    @contextlib.contextmanager
    def lent(self) -> Iterator[C]:
        """The connection. Raises what connecting raises, and Unavailable after waiting for another's attempt."""
        held = self._take()
        try:
            yield held.connection
        finally:
            self._leave(held)

    def close(self) -> None:
        """Close the connection, when calls in progress have ended; a later call connects again."""
        with self._lock:
            retired = self._held.pop() if self._held else None
            if retired is None:
                return
            retired.retired = True
            idle = not retired.users
        if idle:
            retired.connection.close()

    def _take(self) -> _Held[C]:
        failures = self._failures
        while True:
            with self._lock:
                if self._held:
                    self._held[0].users += 1
                    return self._held[0]
            self._make(failures)

    def _make(self, failures: int) -> None:
        """Connect, unless another thread has meanwhile; Unavailable if it has failed, since there were so many."""
        probe = self._breaker.admit()
        if not self._connecting.acquire(timeout=self._patience):
            raise Unavailable("still connecting to the store")
        try:
            if self._held:
                return
            if self._failures != failures:
                raise Unavailable(self._failure)
            made = _Held(self._attempt())
            self._breaker.answered(probe)
            with self._lock:
                self._held.append(made)
        finally:
            self._connecting.release()

    def _attempt(self) -> C:
        try:
            return self._connect()
        except Unavailable as exc:
            self._failures += 1
            self._failure = str(exc)
            self._breaker.failed(exc)
            raise

    def _leave(self, held: _Held[C]) -> None:
        with self._lock:
            held.users -= 1
            last = held.retired and not held.users
        if last:
            held.connection.close()

    def _begin_in_child(self) -> None:
        self._inherited += self._held
        self._held.clear()
        self._reset()


def _close_at_exit(held: list[_Held[C]], pid: int) -> None:
    if os.getpid() == pid and held:
        held.pop().connection.close()
