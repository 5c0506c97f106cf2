"""Couchbase going away and coming back: killed, stopped, slowed, restarted, absent at the start, under load."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import pytest
from limits import RateLimitItemPerYear
from limits.strategies import FixedWindowRateLimiter

from storage.backends.couchbase.backend import CouchbaseBackend
from storage.errors import Unavailable
from storage.ratelimit import BackendStorage
from tests.contracts.backend_wait import wait_until
from tests.couchbase_server.launch import Peer
from tests.couchbase_server.wire import Opcode
from tests.storage.backends.couchbase_peer import HASTY, answers, backend_on

T = TypeVar("T")

VALUE = b'{"a": 1}'
PAUSE = 0.2
CONNECT = timedelta(seconds=2)
SLOW = 20.0
"""Seconds that are far more than any bound of the settings, and far less than for ever."""


@pytest.fixture
def peer(tmp_path: Path) -> Iterator[Peer]:
    """A server of two nodes that keeps its documents over a kill."""
    with Peer("--nodes", "2", "--journal", str(tmp_path / "journal")) as running:
        yield running


@pytest.fixture
def backend(peer: Peer) -> Iterator[CouchbaseBackend]:
    made = backend_on(peer, timeout=HASTY, connect_timeout=CONNECT, pause=PAUSE)
    made.init()
    yield made
    made.close()


def settled(call: Callable[[], T]) -> T:
    """What the call gives once the store answers."""
    given: list[T] = []
    wait_until(lambda: answers(lambda: given.append(call())))
    return given[0]


def failing(call: Callable[[], object]) -> float:
    """How long the call takes to raise Unavailable."""
    begin = time.monotonic()
    with pytest.raises(Unavailable):
        call()
    return time.monotonic() - begin


def outage(peer: Peer, kind: str) -> Callable[[], None]:
    """Begin an outage; the answer ends it."""
    if kind == "killed":
        peer.kill()
        return peer.start
    if kind == "stopped":
        peer.stop()
        return peer.resume
    if kind == "slow":
        peer.fault("delay", seconds=2 * HASTY.total_seconds())
    else:
        peer.fault("status", status=0x86)
    return peer.heal


OUTAGES = ["killed", "stopped", "slow", "failing"]


@pytest.mark.parametrize("kind", OUTAGES)
def test_every_call_fails_in_bounded_time_and_works_again_afterwards(
    backend: CouchbaseBackend, peer: Peer, kind: str
) -> None:
    settled(lambda: backend.put("results", "k", VALUE))
    end = outage(peer, kind)
    for call in (
        lambda: backend.get("results", "k"),
        lambda: backend.get_many("results", ["k", "l"]),
        lambda: backend.put("results", "l", VALUE),
        lambda: backend.add("keys", "k", VALUE),
        lambda: backend.increment("limits", "c"),
        lambda: backend.counter("limits", "c"),
        lambda: backend.ping(),
    ):
        assert failing(call) < SLOW
    end()
    wait_until(lambda: answers(backend.ping))
    assert settled(lambda: backend.get_many("results", ["k"])["k"].value) == VALUE


@pytest.mark.parametrize("kind", OUTAGES)
def test_the_breaker_opens_once_refuses_at_once_and_closes_by_a_probe(
    backend: CouchbaseBackend, peer: Peer, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "storage.breaker")
    settled(lambda: backend.put("results", "before", VALUE))
    end = outage(peer, kind)
    for _ in range(3):
        assert not backend.status().out
        failing(lambda: backend.get("results", "before"))
    assert backend.status().out
    refused = sorted(failing(lambda: backend.get("results", "before")) for _ in range(100))
    assert refused[50] < HASTY.total_seconds() / 5
    end()
    wait_until(lambda: answers(lambda: backend.get("results", "before")))
    settled(lambda: backend.put("results", "after", VALUE))
    assert set(settled(lambda: backend.get_many("results", ["before", "after"]))) == {"before", "after"}
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


@pytest.mark.parametrize("kind", ["killed", "stopped"])
def test_an_outage_under_load(backend: CouchbaseBackend, peer: Peer, kind: str) -> None:
    """No call hangs, none gives a wrong answer, and what was acknowledged is found again."""
    stop, lock = threading.Event(), threading.Lock()
    written: list[str] = []
    slowest: list[float] = []

    def work(thread: int) -> int:
        failures = number = 0
        longest = 0.0
        while not stop.is_set():
            number += 1
            key, begin = f"{thread}/{number}", time.monotonic()
            if answers(lambda key=key: backend.put("results", key, VALUE)):  # type: ignore[misc]
                entry = value_of(backend, key)
                assert entry in (VALUE, None)
                failures += entry is None
                with lock:
                    written.append(key)
            else:
                failures += 1
                stop.wait(0.002)
            longest = max(longest, time.monotonic() - begin)
        with lock:
            slowest.append(longest)
        return failures

    with ThreadPoolExecutor(4) as pool:
        workers = [pool.submit(work, number) for number in range(4)]
        try:
            wait_until(lambda: len(written) > 50)
            end = outage(peer, kind)
            wait_until(lambda: bool(backend.status().out))
            end()
            wait_until(lambda: not backend.status().out)
            after = len(written)
            wait_until(lambda: len(written) > after + 50)
        finally:
            stop.set()
        assert sum(worker.result(30) for worker in workers) > 0
    assert max(slowest) < SLOW
    assert set(settled(lambda: backend.get_many("results", written))) == set(written)


def value_of(backend: CouchbaseBackend, key: str) -> bytes | None:
    """The value; None also when the store does not answer."""
    try:
        entry = backend.get("results", key)
    except Unavailable:
        return None
    assert entry is not None
    return entry.value


@pytest.mark.parametrize("how", ["absent", "stopped", "refusing"])
def test_a_store_that_is_down_at_the_start_is_picked_up_when_it_appears(peer: Peer, how: str) -> None:
    ready = backend_on(peer)
    ready.init()
    ready.close()
    end: Callable[[], None]
    if how == "absent":
        end = outage(peer, "killed")
    elif how == "stopped":
        end = outage(peer, "stopped")
    else:
        peer.fault("refuse")
        end = peer.heal
    late = backend_on(peer, timeout=HASTY, connect_timeout=HASTY)
    for _ in range(2):
        assert failing(late.ping) < SLOW
    end()
    wait_until(lambda: answers(late.ping))
    wait_until(lambda: answers(lambda: late.put("results", "k", VALUE)))
    wait_until(lambda: answers(lambda: late.get("results", "k")))
    late.close()


def test_threads_that_come_while_connecting_fails_wait_no_longer_than_one_attempt(peer: Peer) -> None:
    peer.stop()
    backend = backend_on(peer, connect_timeout=timedelta(seconds=1))
    with ThreadPoolExecutor(12) as pool:
        begin = time.monotonic()
        waits = list(pool.map(lambda _: failing(backend.ping), range(12)))
        together = time.monotonic() - begin
    assert max(waits) <= together < SLOW
    peer.resume()
    backend.close()


def test_slowness_within_the_timeout_is_no_outage(backend: CouchbaseBackend, peer: Peer) -> None:
    settled(lambda: backend.put("results", "k", VALUE))
    peer.fault("delay", seconds=HASTY.total_seconds() / 5)
    assert backend.get("results", "k") is not None
    assert backend.increment("limits", "c") == 1


def test_an_answer_that_comes_too_late_is_not_taken_for_anothers(backend: CouchbaseBackend, peer: Peer) -> None:
    settled(lambda: backend.put("results", "k", VALUE))
    settled(lambda: backend.put("results", "l", b'{"l": 1}'))
    peer.fault("delay", opcode=Opcode.GET, seconds=2 * HASTY.total_seconds(), count=1)
    failing(lambda: backend.get("results", "k"))
    assert settled(lambda: backend.get_many("results", ["l"])["l"].value) == b'{"l": 1}'


def test_one_node_down_leaves_the_others_part(backend: CouchbaseBackend, peer: Peer) -> None:
    keys = [f"k{number}" for number in range(20)]
    for key in keys:
        settled(lambda key=key: backend.put("results", key, VALUE))  # type: ignore[misc]
    peer.fault("drop", node=1)
    reached = [key for key in keys if answers(lambda key=key: backend.get("results", key))]  # type: ignore[misc]
    assert 0 < len(reached) < len(keys)
    peer.heal()
    wait_until(lambda: answers(lambda: backend.get_many("results", keys)))


def test_a_limit_shared_by_two_replicas_holds_over_lost_answers_and_a_kill(
    backend: CouchbaseBackend, peer: Peer
) -> None:
    item, limit = RateLimitItemPerYear(40), 40
    replicas = [backend, backend_on(peer, timeout=HASTY, connect_timeout=CONNECT)]
    limiters = [FixedWindowRateLimiter(BackendStorage(backend=replica)) for replica in replicas]

    def hits(limiter: FixedWindowRateLimiter) -> int:
        allowed = 0
        for _ in range(25):
            try:
                allowed += limiter.hit(item, "shared")
            except Unavailable:
                continue
        return allowed

    replicas[1].ping()
    peer.fault("drop", opcode=Opcode.INCREMENT, count=3)
    with ThreadPoolExecutor(2) as pool:
        allowed = sum(pool.map(hits, limiters))
    assert allowed == limit - 3
    peer.kill()
    peer.start()
    wait_until(lambda: all(answers(replica.ping) for replica in replicas))
    assert [limiter.hit(item, "shared") for limiter in limiters] == [False, False]
    replicas[1].close()


def test_closing_while_the_store_is_gone_returns(peer: Peer) -> None:
    backend = backend_on(peer, connect_timeout=CONNECT)
    backend.init()
    peer.stop()
    begin = time.monotonic()
    backend.close()
    assert time.monotonic() - begin < SLOW
    peer.resume()
