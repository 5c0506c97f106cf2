"""Where the contract suites find Couchbase."""

from collections.abc import Iterator

import pytest

from tests.contracts.couchbase_store import Couchbase
from tests.couchbase_server.launch import Peer


@pytest.fixture(scope="session")
def couchbase() -> Iterator[Couchbase]:
    """A cluster with its scope initialised, where it is shared; see Couchbase."""
    cluster = Couchbase.of_environment()
    if cluster is None:
        with Peer("--nodes", "2") as peer:
            yield Couchbase.of_peer(peer)
        return
    backend = cluster.backend(cluster.scope)
    backend.init()
    backend.close()
    yield cluster
    cluster.drop()
