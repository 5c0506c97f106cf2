"""The contract over dictionaries, and what is particular to them."""

from datetime import timedelta

from storage.backends.memory import PURGE_STEP, MemoryBackend
from tests.contracts.backend import BackendContract
from tests.contracts.backend_concurrency import ConcurrencyContract
from tests.contracts.backend_expiry import ExpiryContract
from tests.contracts.backend_store import Clock
from tests.storage.stores import MemoryStore


class TestMemoryBackend(MemoryStore, BackendContract):
    pass


class TestMemoryExpiry(MemoryStore, ExpiryContract):
    pass


class TestMemoryConcurrency(MemoryStore, ConcurrencyContract):
    pass


def test_expired_entries_are_cleared_away_in_steps() -> None:
    clock = Clock()
    backend = MemoryBackend(clock)
    for n in range(PURGE_STEP + 50):
        backend.increment("limits", f"c{n}", 1, timedelta(seconds=10))
    clock.advance(11)
    backend.put("results", "first", b"{}")
    assert len(backend._slots["limits"]) == 50
    backend.put("results", "second", b"{}")
    assert backend._slots["limits"] == {}


def test_an_entry_written_anew_is_not_cleared_by_its_earlier_expiry() -> None:
    clock = Clock()
    backend = MemoryBackend(clock)
    backend.put("results", "k", b"{}", timedelta(seconds=10))
    backend.put("results", "k", b"{}", timedelta(seconds=100))
    clock.advance(11)
    backend.put("results", "other", b"{}")
    assert backend.get("results", "k") is not None
