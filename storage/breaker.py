"""A circuit breaker around a backend: a store that is down costs a few timeouts, not one for every request."""

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any, NoReturn, Self, TypeVar, cast

import pybreaker

from storage.base import Backend, Countable, Entry, Scannable
from storage.errors import Conflict, Corrupt, StorageError, Unavailable

T = TypeVar("T")

logger = logging.getLogger(__name__)


class GuardedBackend(Backend):
    """The backend itself, until `fail_max` calls in a row have raised Unavailable; then the circuit is open.

    While it is open every call raises Unavailable at once, save one call each `reset_timeout` that is let through as a
    probe; if it succeeds, the circuit is closed again. Conflict and Corrupt are answers, not failures.
    `on_error` is told of every Unavailable of the backend before it is raised, `on_transition` of each change between
    available (True) and not (False), which is also logged once. Both are called with locks held: they must be quick.

    The object is Countable and Scannable exactly if the backend is: the constructor returns the subclass that fits.
    """

    def __new__(cls, backend: Backend, *args: Any, **kwargs: Any) -> Self:  # noqa: ARG004
        """An instance of the subclass with the backend's capabilities."""
        fitting = _KINDS[isinstance(backend, Countable), isinstance(backend, Scannable)]
        return cast(Self, super().__new__(fitting))

    def __init__(
        self,
        backend: Backend,
        *,
        fail_max: int = 3,
        reset_timeout: timedelta = timedelta(seconds=5),
        on_error: Callable[[Unavailable], None] | None = None,
        on_transition: Callable[[bool], None] | None = None,
    ) -> None:
        self._backend = backend
        self._on_error = on_error
        self._errors = 0
        self._counting = threading.Lock()
        self._probing = threading.Lock()
        self._breaker = pybreaker.CircuitBreaker(
            fail_max=fail_max,
            reset_timeout=reset_timeout.total_seconds(),
            exclude=[Conflict, Corrupt],
            listeners=[_Transitions(on_transition)],
            throw_new_error_on_trip=False,
        )

    @property
    def available(self) -> bool:
        """Whether the circuit is closed. A store that has just gone is noticed only by calls."""
        return bool(self._breaker.current_state == pybreaker.STATE_CLOSED)

    @property
    def errors(self) -> int:
        """How many calls of the backend have raised Unavailable; calls refused by the open circuit are not counted."""
        return self._errors

    def get(self, namespace: str, key: str) -> Entry | None:
        return self._call(lambda: self._backend.get(namespace, key))

    def get_many(self, namespace: str, keys: Sequence[str]) -> dict[str, Entry]:
        return self._call(lambda: self._backend.get_many(namespace, keys))

    def put(self, namespace: str, key: str, value: bytes, ttl: timedelta | None = None) -> None:
        self._call(lambda: self._backend.put(namespace, key, value, ttl))

    def add(self, namespace: str, key: str, value: bytes, ttl: timedelta | None = None) -> bool:
        return self._call(lambda: self._backend.add(namespace, key, value, ttl))

    def replace(self, namespace: str, key: str, value: bytes, version: int, ttl: timedelta | None = None) -> None:
        self._call(lambda: self._backend.replace(namespace, key, value, version, ttl))

    def remove(self, namespace: str, key: str) -> bool:
        return self._call(lambda: self._backend.remove(namespace, key))

    def increment(self, namespace: str, key: str, amount: int = 1, ttl: timedelta | None = None) -> int:
        return self._call(lambda: self._backend.increment(namespace, key, amount, ttl))

    def counter(self, namespace: str, key: str) -> tuple[int, float | None]:
        return self._call(lambda: self._backend.counter(namespace, key))

    def touch(self, namespace: str, key: str, ttl: timedelta | None) -> bool:
        return self._call(lambda: self._backend.touch(namespace, key, ttl))

    def ping(self) -> None:
        self._call(self._backend.ping)

    def close(self) -> None:
        self._backend.close()

    def _call(self, operation: Callable[[], T]) -> T:
        if not self.available:
            return self._probe(operation)
        # Not through breaker.call(), which holds a lock for the length of the call: only the outcome is reported to it.
        try:
            result = operation()
        except Unavailable as exc:
            self._count(exc)
            self._report(_fail)
            raise
        except StorageError:
            self._answered()
            raise
        self._answered()
        return result

    def _probe(self, operation: Callable[[], T]) -> T:
        if not self._probing.acquire(blocking=False):
            raise Unavailable("the store is not available; a probe is under way")
        try:
            return self._breaker.call(operation)
        except pybreaker.CircuitBreakerError as exc:
            raise Unavailable("the store is not available") from exc
        except Unavailable as exc:
            self._count(exc)
            raise
        finally:
            self._probing.release()

    def _answered(self) -> None:
        if self._breaker.fail_counter:
            self._report(_succeed)

    def _report(self, outcome: Callable[[], None]) -> None:
        # A call that was under way when the circuit opened says nothing new; let alone is it a probe.
        if self.available:
            with suppress(Unavailable, pybreaker.CircuitBreakerError):
                self._breaker.call(outcome)

    def _count(self, exc: Unavailable) -> None:
        with self._counting:
            self._errors += 1
        if self._on_error is not None:
            self._on_error(exc)


class _CountableGuard(GuardedBackend, Countable):
    def count(self, namespace: str) -> int:
        backend = self._backend
        assert isinstance(backend, Countable)  # noqa: S101 (the constructor chose this class for it)
        return self._call(lambda: backend.count(namespace))


class _ScannableGuard(GuardedBackend, Scannable):
    def scan(self, namespace: str, prefix: str = "") -> Iterator[tuple[str, Entry]]:
        backend = self._backend
        assert isinstance(backend, Scannable)  # noqa: S101 (the constructor chose this class for it)
        entries = self._call(lambda: backend.scan(namespace, prefix))
        while (entry := self._call(lambda: next(entries, None))) is not None:
            yield entry


class _FullGuard(_CountableGuard, _ScannableGuard):
    pass


_KINDS: dict[tuple[bool, bool], type[GuardedBackend]] = {
    (False, False): GuardedBackend,
    (True, False): _CountableGuard,
    (False, True): _ScannableGuard,
    (True, True): _FullGuard,
}


class _Transitions(pybreaker.CircuitBreakerListener):
    """Tells of an outage once when it begins and once when it ends, however many probes fail between."""

    def __init__(self, on_transition: Callable[[bool], None] | None) -> None:
        self._on_transition = on_transition

    def state_change(self, cb: Any, old_state: Any, new_state: Any) -> None:  # noqa: ARG002
        if old_state.name == pybreaker.STATE_CLOSED:
            logger.warning("the store is not available; going on without it")
            self._tell(available=False)
        elif new_state.name == pybreaker.STATE_CLOSED:
            logger.info("the store is available again")
            self._tell(available=True)

    def _tell(self, *, available: bool) -> None:
        if self._on_transition is not None:
            self._on_transition(available)


def _fail() -> NoReturn:
    raise Unavailable


def _succeed() -> None:
    return
