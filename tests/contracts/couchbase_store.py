"""Couchbase for the contract suites: the protocol server of the tests, or the cluster that the environment names."""

import os
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from couchbase.auth import PasswordAuthenticator  # type: ignore[import-untyped]
from couchbase.cluster import Cluster  # type: ignore[import-untyped]
from couchbase.options import ClusterOptions  # type: ignore[import-untyped]

from storage.backends.couchbase.backend import CouchbaseBackend
from storage.backends.couchbase.url import CouchbaseUrl
from storage.base import Options
from tests.contracts.backend_store import Store, StoreFixture
from tests.couchbase_server.launch import BUCKET, PASSWORD, USER, Peer

TIMEOUT = timedelta(seconds=2.5)
CONNECT_TIMEOUT = timedelta(seconds=10)


@dataclass(frozen=True)
class Couchbase:
    """Where the tests' Couchbase is. peer: the server of the tests, None for a cluster of the environment's.

    scope: what every backend shares, or "" for a scope of its own for each test.
    """

    hosts: str
    bucket: str
    username: str
    password: str
    peer: Peer | None
    scope: str

    @classmethod
    def of_environment(cls) -> "Couchbase | None":
        """The cluster of COUCHBASE_TEST_URL, _USERNAME, _PASSWORD and _BUCKET; None when they are not set."""
        url = os.environ.get("COUCHBASE_TEST_URL")
        if not url:
            return None
        parts = urlsplit(url)
        return cls(
            f"{parts.scheme}://{parts.netloc}",
            os.environ["COUCHBASE_TEST_BUCKET"],
            os.environ["COUCHBASE_TEST_USERNAME"],
            os.environ["COUCHBASE_TEST_PASSWORD"],
            None,
            f"abstracts-test-{secrets.token_hex(4)}",
        )

    @classmethod
    def of_peer(cls, peer: Peer) -> "Couchbase":
        return cls(peer.url.rpartition("/")[0], BUCKET, USER, PASSWORD, peer, "")

    def backend(self, scope: str, now: "PeerClock | None" = None) -> CouchbaseBackend:
        """A backend that is not yet connected; the caller closes it."""
        options = Options(self.username, self.password, TIMEOUT, CONNECT_TIMEOUT, None)
        url = CouchbaseUrl.parse(urlsplit(f"{self.hosts}/{self.bucket}/{scope}"))
        return CouchbaseBackend(url, options, now or time.time)

    def drop(self) -> None:
        """Remove the shared scope with all that is in it."""
        options = ClusterOptions(
            PasswordAuthenticator(self.username, self.password), enable_metrics=False, enable_tracing=False
        )
        cluster = Cluster(self.hosts, options)
        try:
            cluster.bucket(self.bucket).collections().drop_scope(self.scope)
        finally:
            cluster.close()


class PeerClock:
    """The time of a backend and of its server, moved together."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self._offset = 0.0

    def __call__(self) -> float:
        return time.time() + self._offset

    def advance(self, seconds: float) -> None:
        self._peer.advance(seconds)
        self._offset += seconds

    def back(self) -> None:
        """To where it was, for the next test."""
        self.advance(-self._offset)


class CouchbaseStore(StoreFixture):
    """A scope that `init` has made."""

    @pytest.fixture
    def store(self, couchbase: Couchbase) -> Iterator[Store]:
        if couchbase.peer is None:
            backend = couchbase.backend(couchbase.scope)
            yield Store(backend, None, lambda: couchbase.backend(couchbase.scope))
            backend.close()
            return
        clock, scope = PeerClock(couchbase.peer), f"test-{secrets.token_hex(4)}"
        backend = couchbase.backend(scope, clock)
        backend.init()
        yield Store(backend, clock.advance, lambda: couchbase.backend(scope, clock), clock)
        backend.close()
        clock.back()
