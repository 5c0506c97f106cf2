"""The one connection of a process to a cluster: made by the first call, shared by all threads, never open over a fork.

The SDK's threads do not survive a fork, and whatever touches their connection in the child, if only to free it, waits
for them for ever. So the connection is closed before a fork, and either side makes its own when needed. Nothing may
keep the closed object alive into the child either: errors lose the frames that they came through here.
"""

import atexit
import contextlib
import functools
import threading
import time
import weakref
from collections.abc import Callable
from typing import Final, Generic, Protocol, TypeVar

from storage import forks
from storage.errors import StorageError, Unavailable

DRAIN_SECONDS: Final = 10.0
"""How long closing and forking wait for calls in progress."""


class Closable(Protocol):
    """What a link holds."""

    def close(self) -> None:
        """Release it."""


C = TypeVar("C", bound=Closable)
R = TypeVar("R")
E = TypeVar("E", bound=BaseException)

_links: "weakref.WeakSet[Link[Closable]]" = weakref.WeakSet()


class Link(Generic[C]):
    """Lends the connection to calls. One thread connects; those that come meanwhile share its success or failure."""

    def __init__(self, connect: Callable[[], C], patience: float) -> None:
        self._connect = connect
        self._patience = patience
        self._reset()
        _links.add(self)  # type: ignore[arg-type]
        _close_at_exit()
        forks.watch(self)

    def run(self, work: Callable[[C], R]) -> R:
        """work(connection). Raises what connecting raises; Unavailable after waiting `patience` seconds for it."""
        connection = self._enter()
        try:
            return work(connection)
        except Exception as exc:  # noqa: BLE001 (raised again)
            raise _frameless(exc) from exc.__cause__
        finally:
            del connection
            self._leave()

    def close(self) -> None:
        """Close the connection after the calls in progress; a later call connects again."""
        with self._changed:
            self._drain()
            self._draining = False
            self._changed.notify_all()

    def _reset(self) -> None:
        self._changed = threading.Condition(threading.Lock())
        self._connection: C | None = None
        self._users = 0
        self._connecting = False
        self._draining = False
        self._failures = 0
        self._failure: StorageError | None = None

    def _enter(self) -> C:
        with self._changed:
            connection = self._await()
            if connection is not None:
                self._users += 1
                return connection
            self._connecting = True
        try:
            made = self._connect()
        except BaseException as exc:
            self._connected(None, _frameless(exc))
            raise
        self._connected(made, None)
        return made

    def _await(self) -> C | None:
        """The connection, or None when the caller is the one to make it."""
        deadline = time.monotonic() + self._patience
        failures = self._failures
        while self._draining or self._connecting:
            if not self._changed.wait(max(deadline - time.monotonic(), 0)):
                raise Unavailable("still connecting to the store")
            if self._failures != failures and self._failure is not None:
                raise Unavailable(str(self._failure)) from self._failure
        return self._connection

    def _connected(self, connection: C | None, error: BaseException | None) -> None:
        with self._changed:
            self._connecting = False
            self._connection = connection
            if connection is not None:
                self._users += 1
            if isinstance(error, StorageError):
                self._failures += 1
                self._failure = error
            self._changed.notify_all()

    def _leave(self) -> None:
        with self._changed:
            self._users -= 1
            if self._draining:
                self._changed.notify_all()

    def _drain(self) -> None:
        self._draining = True
        deadline = time.monotonic() + DRAIN_SECONDS
        while (self._users or self._connecting) and (left := deadline - time.monotonic()) > 0:
            self._changed.wait(left)
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def before_fork(self) -> None:
        """See Forkable."""
        self._changed.acquire()
        self._drain()

    def after_fork_in_parent(self) -> None:
        """See Forkable."""
        self._draining = False
        self._changed.notify_all()
        self._changed.release()

    def after_fork_in_child(self) -> None:
        """See Forkable."""
        self._reset()


def _frameless(exc: E) -> E:
    """The same error without the frames of its traceback and of the errors behind it."""
    behind: list[BaseException | None] = [exc]
    while behind:
        one = behind.pop()
        if one is not None:
            one.__traceback__ = None
            behind += (one.__cause__, one.__context__)
    return exc


@functools.cache
def _close_at_exit() -> None:
    atexit.register(_at_exit)


def _at_exit() -> None:
    for link in list(_links):
        with contextlib.suppress(StorageError):
            link.close()
