"""One server a module of tests, and raw clients of it."""

from collections.abc import Iterator

import pytest

from tests.couchbase_server.client import Client
from tests.couchbase_server.launch import BUCKET, PASSWORD, USER, Peer


@pytest.fixture(scope="module")
def peer() -> Iterator[Peer]:
    with Peer() as running:
        yield running


@pytest.fixture
def client(peer: Peer) -> Iterator[Client]:
    """Logged in, bucket selected, the default collection without prefixes."""
    with Client(peer.ports["kv"][0]) as connected:
        connected.login(USER, PASSWORD, BUCKET)
        yield connected
    peer.heal()


@pytest.fixture
def key(request: pytest.FixtureRequest) -> bytes:
    """A key that no other test uses."""
    name: str = request.node.name
    return name.encode()[:200]
