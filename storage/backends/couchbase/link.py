"""The one connection of a process to a cluster: made by the first call, shared by all threads, closed at the end.

The SDK's threads do not survive a fork, and whatever touches their connection in the child, if only to free it, waits
for them for ever: a child keeps what it inherited untouched, and makes its own.
"""

import contextlib
import os
import threading
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from storage import forks
from storage.breaker import Breaker
from storage.deadline import bounded
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


@dataclass(slots=True)
class _Attempt:
    """A thread that connects, for which all calls wait that come meanwhile."""

    over: threading.Event = field(default_factory=threading.Event)
    failure: str = "connecting to the store has failed"


class Link(Generic[C]):
    """Lends the connection to calls. A thread of its own connects; the calls that come meanwhile share how it ends.

    The first call waits until it is known, which the driver bounds, the others for `patience` in seconds at most; a
    deadline bounds either. `breaker` spares them the waiting while connecting keeps failing.
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
        self._attempt: _Attempt | None = None

    @contextlib.contextmanager
    def lent(self) -> Iterator[C]:
        """The connection. Unavailable if there is none, or not yet."""
        held = self._take()
        try:
            yield held.connection
        finally:
            self._leave(held)

    def close(self) -> None:
        """Close the connection, when calls in progress have ended; a later call connects again."""
        attempt = self._attempt
        if attempt is not None:
            attempt.over.wait()  # the driver bounds it
        with self._lock:
            retired = self._held.pop() if self._held else None
            if retired is None:
                return
            retired.retired = True
            idle = not retired.users
        if idle:
            retired.connection.close()

    def _take(self) -> _Held[C]:
        while True:
            with self._lock:
                if self._held:
                    self._held[0].users += 1
                    return self._held[0]
            self._wait()

    def _wait(self) -> None:
        """Have a connection made, unless one is being made, and wait for it. Unavailable if it fails or takes long."""
        probe = self._breaker.admit()
        with self._lock:
            if self._held:
                return
            attempt, patience = self._attempt, self._patience
            if attempt is None:
                attempt, patience = _Attempt(), threading.TIMEOUT_MAX
                self._attempt = attempt
                # Not a daemon: the driver does not bear to be cut off when the process ends.
                threading.Thread(target=self._make, args=(attempt, probe), name="connecting").start()
        with bounded(patience) as seconds:
            if not attempt.over.wait(seconds):
                raise Unavailable("still connecting to the store")
        if attempt.failure:
            raise Unavailable(attempt.failure)

    def _make(self, attempt: _Attempt, probe: bool) -> None:
        try:
            made = _Held(self._connect())
        except Unavailable as exc:
            attempt.failure = str(exc)
            self._breaker.failed(exc)
        else:
            attempt.failure = ""
            self._breaker.answered(probe)
            with self._lock:
                self._held.append(made)
        finally:
            with self._lock:
                self._attempt = None
            attempt.over.set()

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
