"""Backends and the SDK's own objects on the protocol server, for the tests of what is particular to Couchbase."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from storage.backends.couchbase.backend import CouchbaseBackend
from storage.backends.couchbase.cluster import Connection, Settings
from storage.backends.couchbase.url import CouchbaseUrl
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
) -> CouchbaseBackend:
    """Not yet connected; the caller closes it."""
    return CouchbaseBackend.from_url(
        url or f"{peer.url}/{scope}",
        username=USER,
        password=password,
        timeout=timeout,
        connect_timeout=connect_timeout,
        ca=ca,
        now=now,
    )


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
    url = CouchbaseUrl.parse(f"{peer.url}/{scope}")
    connection = Connection.open(Settings(url, USER, PASSWORD, TIMEOUT, CONNECT_TIMEOUT, None))
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
