"""Couchbase that answers slowly: what the calls of one request may take together."""

import time
from collections.abc import Callable, Iterator

import pytest

from storage.backends.couchbase.backend import CouchbaseBackend
from storage.deadline import Budget, within
from storage.errors import Unavailable
from tests.couchbase_server.launch import Peer
from tests.storage.backends.couchbase_peer import HASTY, answers, backend_on

VALUE = b'{"a": 1}'
OPERATION = HASTY.total_seconds()
DELAY = 0.6 * OPERATION
MANY = 8


@pytest.fixture
def peer() -> Iterator[Peer]:
    with Peer() as running:
        yield running


@pytest.fixture
def backend(peer: Peer) -> Iterator[CouchbaseBackend]:
    """One that has been used."""
    made = backend_on(peer, timeout=HASTY)
    made.init()
    made.put("results", "k", VALUE)
    yield made
    made.close()


@pytest.mark.parametrize(
    "call",
    [
        lambda backend: backend.get("results", "k"),
        lambda backend: backend.get_many("results", ["k", "l"]),
        lambda backend: backend.put("keys", "k", VALUE),
        lambda backend: backend.put("results", "new", VALUE),
        lambda backend: backend.add("keys", "new", VALUE),
        lambda backend: backend.increment("limits", "c"),
        lambda backend: backend.counter("limits", "c"),
        lambda backend: backend.remove("results", "none"),
    ],
)
def test_the_calls_of_a_request_are_bounded_together(
    backend: CouchbaseBackend, peer: Peer, call: Callable[[CouchbaseBackend], object]
) -> None:
    peer.fault("delay", seconds=DELAY)
    began = time.monotonic()
    with within(Budget(2 * OPERATION)):
        answered = [answers(lambda: call(backend)) for _ in range(MANY)]
    assert time.monotonic() - began < 3 * OPERATION < MANY * DELAY
    assert not any(answered[3:])
    assert backend.status().out == ()


def test_to_be_hurried_is_no_failure_of_the_store(backend: CouchbaseBackend, peer: Peer) -> None:
    peer.fault("delay", seconds=DELAY)
    for _ in range(4):
        with within(Budget(OPERATION / 4)), pytest.raises(Unavailable):
            backend.get("results", "k")
        with within(Budget(OPERATION / 4)), pytest.raises(Unavailable):
            backend.increment("limits", "c")
    assert backend.status().out == ()
    assert sum(backend.status().errors.values()) == 0
    assert backend.get("results", "k") is not None  # as a job would


def test_connecting_takes_no_request_longer(peer: Peer) -> None:
    backend = backend_on(peer, timeout=HASTY)
    peer.fault("delay", seconds=OPERATION)
    began = time.monotonic()
    with within(Budget(OPERATION)), pytest.raises(Unavailable, match="still connecting"):
        backend.get("results", "k")
    assert time.monotonic() - began < 3 * OPERATION
    peer.heal()
    backend.init()  # with the connection that was being made
    assert backend.get("results", "k") is None
    backend.close()
