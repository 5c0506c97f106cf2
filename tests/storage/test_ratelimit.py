"""The rate-limit storage by URL, and in an outage."""

from datetime import timedelta
from pathlib import Path

import pytest
from limits import RateLimitItemPerYear
from limits.storage import MemoryStorage, storage_from_string
from limits.strategies import FixedWindowRateLimiter

from storage.backends.memory import MemoryBackend
from storage.errors import Unavailable
from storage.ratelimit import BackendStorage


def test_limits_opens_it_by_the_store_url(tmp_path: Path) -> None:
    url, item = f"sqlite:///{tmp_path}/store.db", RateLimitItemPerYear(3)
    storages = [storage_from_string(url, connect_timeout=timedelta(seconds=5)) for _ in range(2)]  # type: ignore[arg-type]
    try:
        limiters = [FixedWindowRateLimiter(storage) for storage in storages]
        assert [limiters[n % 2].hit(item, "a") for n in range(5)] == [True, True, True, False, False]
    finally:
        for storage in storages:
            assert isinstance(storage, BackendStorage)
            storage.close()


def test_limits_keeps_its_own_memory_storage() -> None:
    assert isinstance(storage_from_string("memory://"), MemoryStorage)


def test_a_backend_that_was_handed_over_stays_open() -> None:
    closed = []

    class Watched(MemoryBackend):
        def close(self) -> None:
            closed.append(True)

    BackendStorage(backend=Watched()).close()
    assert closed == []


def test_outage(tmp_path: Path) -> None:
    obstacle = tmp_path / "file"
    obstacle.write_text("in the way")
    storage = BackendStorage(f"sqlite:///{obstacle}/store.db")
    assert storage.check() is False
    for call in (lambda: storage.incr("k", 60), lambda: storage.get("k"), lambda: storage.clear("k"), storage.reset):
        with pytest.raises(Unavailable):
            call()
    obstacle.unlink()
    assert storage.check() is True
    assert storage.incr("k", 60) == 1
    storage.close()
