"""Concurrent calls for one key do the work once."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(eq=False)
class _Flight(Generic[T]):
    landed: threading.Event = field(default_factory=threading.Event)
    results: list[T] = field(default_factory=list)
    """One element once the leader has succeeded; none when it failed."""


class SingleFlight(Generic[T]):
    """Of several threads with one key at a time, the first (the leader) works and the rest wait for its result.

    A leader that fails takes nobody down: its error goes to its own caller, and one of those who waited leads next.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._flights: dict[str, _Flight[T]] = {}

    def run(self, key: str, work: Callable[[], T], timeout: float) -> tuple[T, bool]:
        """The result, and whether another thread's work gave it. Raises what `work` raises.

        TimeoutError after `timeout` seconds of waiting for others. Each caller runs `work` at most once.
        """
        deadline = time.monotonic() + timeout
        while True:
            flight, leads = self._board(key)
            if leads:
                return self._lead(key, flight, work), False
            if not flight.landed.wait(max(0.0, deadline - time.monotonic())):
                raise TimeoutError(f"waited {timeout:g} s for another request's answer")
            if flight.results:
                return flight.results[0], True

    def _board(self, key: str) -> tuple[_Flight[T], bool]:
        with self._lock:
            flight = self._flights.get(key)
            if flight is not None:
                return flight, False
            flight = self._flights[key] = _Flight()
            return flight, True

    def _lead(self, key: str, flight: _Flight[T], work: Callable[[], T]) -> T:
        try:
            result = work()
            flight.results.append(result)
            return result
        finally:
            with self._lock:
                del self._flights[key]
            flight.landed.set()
