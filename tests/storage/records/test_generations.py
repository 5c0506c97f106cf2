"""Generations: cached for a while, bumped for everyone."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from storage.backends.memory import MemoryBackend
from storage.backends.sqlite.backend import SQLiteBackend
from storage.base import Entry
from storage.errors import Unavailable
from storage.records.generations import Generations
from tests.contracts.backend_store import Clock

TTL = timedelta(seconds=5)


def test_bump_elsewhere_is_seen_after_the_ttl() -> None:
    backend, clock = MemoryBackend(), Clock()
    here, there = (Generations(backend, "results", TTL, clock) for _ in range(2))
    assert (here.current("a"), there.current("a")) == (0, 0)
    assert there.bump("a") == 1
    assert (here.current("a"), there.current("a")) == (0, 1)
    clock.advance(4.9)
    assert here.current("a") == 0
    clock.advance(0.1)
    assert here.current("a") == 1


def test_refresh_sees_it_at_once() -> None:
    backend, clock = MemoryBackend(), Clock()
    here, there = (Generations(backend, "results", TTL, clock) for _ in range(2))
    here.current("a")
    there.bump("a")
    assert here.refresh() == {"a": 1}
    assert here.current("a") == 1


def test_names_and_namespaces_are_apart() -> None:
    backend, clock = MemoryBackend(), Clock()
    results, limits = (Generations(backend, namespace, TTL, clock) for namespace in ("results", "limits"))
    assert [results.bump("a"), results.bump("a"), results.bump("b")] == [1, 2, 1]
    assert limits.current("a") == 0


def test_what_is_known_holds_on_while_the_store_is_out(tmp_path: Path) -> None:
    path, clock = tmp_path / "store.db", Clock()
    backend = SQLiteBackend(path, pause=0)
    generations = Generations(backend, "results", TTL, clock)
    assert generations.bump("a") == 1
    path.rename(tmp_path / "away")
    clock.advance(3600)
    for call in (lambda: generations.bump("a"), generations.refresh):
        with pytest.raises(Unavailable):
            call()
    assert generations.current("a") == 1
    with pytest.raises(Unavailable):
        Generations(backend, "results", TTL, clock).current("a")
    backend.close()


def test_others_do_not_wait_for_the_one_that_asks() -> None:
    inside, leave = threading.Event(), threading.Event()

    class Slow(MemoryBackend):
        slow = False

        def get(self, namespace: str, key: str) -> Entry | None:
            if self.slow:
                inside.set()
                leave.wait(20)
            return super().get(namespace, key)

    backend, clock = Slow(), Clock()
    generations = Generations(backend, "results", TTL, clock)
    assert generations.current("a") == 0
    clock.advance(6)
    backend.slow = True
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(generations.current, "a")
        assert inside.wait(20)
        assert generations.current("a") == 0
        leave.set()
        assert asking.result(20) == 0
