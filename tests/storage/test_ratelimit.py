"""The rate-limit storage by URL, and in an outage."""

from pathlib import Path
from typing import Any

import pytest
from limits import RateLimitItemPerYear
from limits.storage import MemoryStorage, storage_from_string
from limits.strategies import FixedWindowRateLimiter

from storage.backends.sqlite.backend import SQLiteBackend
from storage.errors import Unavailable
from storage.ratelimit import BackendStorage


def test_limits_finds_it_by_the_store_url(tmp_path: Path) -> None:
    item, backend = RateLimitItemPerYear(3), SQLiteBackend(tmp_path / "store.db")
    options: dict[str, Any] = {"backend": backend}
    limiters = [FixedWindowRateLimiter(storage_from_string("sqlite:///store.db", **options)) for _ in range(2)]
    assert [limiters[n % 2].hit(item, "a") for n in range(5)] == [True, True, True, False, False]
    backend.close()


def test_limits_keeps_its_own_memory_storage() -> None:
    assert isinstance(storage_from_string("memory://"), MemoryStorage)


def test_outage(tmp_path: Path) -> None:
    obstacle = tmp_path / "file"
    obstacle.write_text("in the way")
    backend = SQLiteBackend(obstacle / "store.db", pause=0)
    storage = BackendStorage(backend=backend)
    assert storage.check() is False
    for call in (lambda: storage.incr("k", 60), lambda: storage.get("k"), lambda: storage.clear("k"), storage.reset):
        with pytest.raises(Unavailable):
            call()
    obstacle.unlink()
    assert storage.check() is True
    assert storage.incr("k", 60) == 1
    backend.close()
