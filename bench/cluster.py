"""Couchbase for the benchmarks.

It is the cluster that COUCHBASE_TEST_URL, _USERNAME, _PASSWORD and _BUCKET name. Without them it is the protocol server
of the tests, which is written in Python: its own time is then in the figures.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from tests.contracts.couchbase_store import Couchbase
from tests.couchbase_server.launch import Peer

SCOPE = "bench"


@contextmanager
def couchbase_cluster() -> Iterator[Couchbase]:
    """With a scope that `store init` would have made, gone afterwards."""
    cluster = Couchbase.of_environment()
    if cluster is not None:
        _initialise(cluster)
        try:
            yield cluster
        finally:
            cluster.drop()
        return
    with Peer() as peer:
        cluster = replace(Couchbase.of_peer(peer), scope=SCOPE)
        _initialise(cluster)
        yield cluster


def url_of(cluster: Couchbase) -> str:
    """As ABSTRACTS_STORE_URL has it."""
    return f"{cluster.hosts}/{cluster.bucket}/{cluster.scope}"


def _initialise(cluster: Couchbase) -> None:
    backend = cluster.backend(cluster.scope)
    try:
        backend.init()
    finally:
        backend.close()
