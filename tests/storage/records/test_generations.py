"""Generations: cached for a while, bumped for everyone."""

from datetime import timedelta

from storage.backends.memory import MemoryBackend
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
