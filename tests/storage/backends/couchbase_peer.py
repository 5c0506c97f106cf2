"""Backends and the SDK's own objects on the protocol server, for the tests of what is particular to Couchbase."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from storage.backends.couchbase.backend import CouchbaseBackend
from storage.backends.couchbase.cluster import Connection
from storage.backends.couchbase.nodes import Nodes
from storage.backends.couchbase.url import CouchbaseUrl
from storage.base import Options
from storage.breaker import PAUSE
from storage.errors import Unavailable
from tests.couchbase_server.launch import PASSWORD, USER, Peer

TIMEOUT = timedelta(seconds=5)
CONNECT_TIMEOUT = timedelta(seconds=10)
"""Generous, for calls that succeed: a busy machine is no outage."""

HASTY = timedelta(milliseconds=500)
"""For calls that are to fail."""


def backend_on(
    peer: Peer,
    scope: str = "abstracts",
    *,
    url: str = "",
    password: str = PASSWORD,
    timeout: timedelta = TIMEOUT,
    connect_timeout: timedelta = CONNECT_TIMEOUT,
    ca: Path | None = None,
    now: Callable[[], float] = time.time,
    pause: float = PAUSE,
) -> CouchbaseBackend:
    """Not yet connected; the caller closes it."""
    options = Options(USER, password, timeout, connect_timeout, ca)
    return CouchbaseBackend(CouchbaseUrl.parse(urlsplit(url or f"{peer.url}/{scope}")), options, now, pause)


@contextmanager
def initialised(peer: Peer, scope: str = "abstracts", **options: Any) -> Iterator[CouchbaseBackend]:
    """A backend whose scope and collections exist."""
    backend = backend_on(peer, scope, **options)
    try:
        backend.init()
        yield backend
    finally:
        backend.close()


@contextmanager
def connected(peer: Peer, scope: str = "abstracts") -> Iterator[Connection]:
    """The SDK's view of the same scope."""
    url = CouchbaseUrl.parse(urlsplit(f"{peer.url}/{scope}"))
    connection = Connection.open(url, Options(USER, PASSWORD, TIMEOUT, CONNECT_TIMEOUT, None), Nodes(PAUSE))
    try:
        yield connection
    finally:
        connection.close()


def raw(connection: Connection, namespace: str, name: str) -> Any:
    """The document as parsed JSON."""
    return json.loads(connection.collections[namespace].get(name).value)


def answers(call: Callable[[], object]) -> bool:
    """Whether the store is there for this call."""
    try:
        call()
    except Unavailable:
        return False
    return True
