"""The stores that need no server, for the contract suites."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.backends.memory import MemoryBackend
from storage.backends.sqlite.backend import SQLiteBackend
from tests.contracts.backend_store import Clock, Store, StoreFixture


class MemoryStore(StoreFixture):
    """Dictionaries, not shared with anyone."""

    @pytest.fixture
    def store(self) -> Iterator[Store]:
        clock = Clock()
        backend = MemoryBackend(clock)
        yield Store(backend, clock.advance, None, clock)
        backend.close()


class SQLiteStore(StoreFixture):
    """A file in a fresh folder."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Store]:
        clock = Clock()
        path = tmp_path / "store.db"
        backend = SQLiteBackend(path, now=clock)
        yield Store(backend, clock.advance, lambda: SQLiteBackend(path, now=clock), clock)
        backend.close()
