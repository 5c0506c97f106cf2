"""What a contract suite is given: a real backend, and what the test may do with it."""

import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from storage.base import Backend


class Clock:
    """Unix time that a test can move on; it stands still otherwise."""

    def __init__(self) -> None:
        self.time = time.time()

    def __call__(self) -> float:
        return self.time

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.time += seconds


@dataclass(frozen=True)
class Store:
    """A backend under test. A fixture builds it over the real thing and closes it.

    advance: lets that many seconds pass for the store (and for `now`); None where its clock cannot be moved.
    another: opens a further backend over the same data, as another replica would; None if nothing is shared.
    now: unix seconds as the backend sees them.
    marker: goes into every key, since a real cluster may hold others' data.
    """

    backend: Backend
    advance: Callable[[float], None] | None
    another: Callable[[], Backend] | None
    now: Callable[[], float] = time.time
    marker: str = field(default_factory=lambda: secrets.token_hex(4))

    def key(self, name: str) -> str:
        """A key that no other test uses."""
        return f"{self.marker}/{name}"

    def pass_time(self, ttl: timedelta) -> None:
        """Advance past a ttl, or skip the test where time cannot be moved."""
        self.move(ttl.total_seconds() + 2)

    def move(self, seconds: float) -> None:
        """Advance by seconds, or skip the test where time cannot be moved."""
        if self.advance is None:
            pytest.skip("the clock of this store cannot be moved")
        self.advance(seconds)

    def replica(self) -> Backend:
        """A second backend over the same data, or skip the test where there can be none. The caller closes it."""
        if self.another is None:
            pytest.skip("this store is not shared")
        return self.another()


class StoreFixture:
    """Base of the classes that provide the `store` fixture of one kind of backend."""

    @pytest.fixture
    def store(self) -> Iterator[Store]:
        """The store under test."""
        raise NotImplementedError

    @pytest.fixture
    def backend(self, store: Store) -> Backend:
        """Its backend."""
        return store.backend
