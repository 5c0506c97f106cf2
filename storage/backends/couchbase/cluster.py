"""The SDK's objects for one bucket and scope: connecting, and creating what `store init` creates."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

from couchbase.auth import PasswordAuthenticator  # type: ignore[import-untyped]
from couchbase.cluster import Cluster  # type: ignore[import-untyped]
from couchbase.diagnostics import ClusterState  # type: ignore[import-untyped]
from couchbase.exceptions import (  # type: ignore[import-untyped]
    CollectionAlreadyExistsException,
    CouchbaseException,
    DocumentNotFoundException,
    ScopeAlreadyExistsException,
)
from couchbase.options import ClusterOptions, ClusterTimeoutOptions, GetOptions  # type: ignore[import-untyped]
from couchbase.transcoder import RawJSONTranscoder  # type: ignore[import-untyped]

from storage.backends.couchbase.documents import RESERVED
from storage.backends.couchbase.errors import translate
from storage.backends.couchbase.url import CouchbaseUrl
from storage.base import NAMESPACES
from storage.errors import Unavailable

PROBE: Final = f"{RESERVED}probe"
"""A key that is never written: reading it tells whether a collection answers."""

MANAGEMENT_TIMEOUT: Final = timedelta(seconds=10)
READY_SECONDS: Final = 30.0
"""How long a new collection may take to be known to every node."""

READY_PAUSE: Final = 0.05
SESSION_PAUSE: Final = 0.001


@dataclass(frozen=True, slots=True)
class Settings:
    """How to reach the cluster. timeout: of one operation; connect_timeout: of connecting as a whole."""

    url: CouchbaseUrl
    username: str
    password: str
    timeout: timedelta
    connect_timeout: timedelta
    ca: Path | None


class Connection:
    """An open connection. `collections` maps each namespace to the SDK's collection."""

    def __init__(self, cluster: Any, bucket: Any, scope: str) -> None:
        self._cluster = cluster
        self._bucket = bucket
        self._scope = scope
        self.collections: dict[str, Any] = {name: bucket.scope(scope).collection(name) for name in NAMESPACES}

    @classmethod
    def open(cls, settings: Settings) -> "Connection":
        """Unavailable when the cluster does not let us in within the connect timeout."""
        try:
            cluster = Cluster(settings.url.hosts, _options(settings))
        except CouchbaseException as exc:
            raise translate(exc) from exc
        try:
            bucket = cluster.bucket(settings.url.bucket)
            _await_sessions(cluster, settings.timeout.total_seconds())
        except CouchbaseException as exc:
            cluster.close()
            raise Unavailable(f"no access to the bucket {settings.url.bucket!r} ({exc.message})") from exc
        return cls(cluster, bucket, settings.url.scope)

    def close(self) -> None:
        self._cluster.close()

    def probe(self, namespace: str, timeout: timedelta | None = None) -> None:
        """Return when the namespace's collection answers; SDK errors pass as they are."""
        try:
            self.collections[namespace].get(PROBE, GetOptions(**({} if timeout is None else {"timeout": timeout})))
        except DocumentNotFoundException:
            return

    def create(self) -> None:
        """Make the scope and its collections unless they exist, and wait until they answer."""
        manager = self._bucket.collections()
        _unless_present(partial(manager.create_scope, self._scope), ScopeAlreadyExistsException)
        for name in NAMESPACES:
            _unless_present(partial(manager.create_collection, self._scope, name), CollectionAlreadyExistsException)
        deadline = time.monotonic() + READY_SECONDS
        for name in NAMESPACES:
            self._await(name, deadline)

    def _await(self, namespace: str, deadline: float) -> None:
        """Probe until the nodes have heard of the collection; the last error when they never do."""
        while True:
            try:
                return self.probe(namespace, MANAGEMENT_TIMEOUT)
            except CouchbaseException:
                if time.monotonic() > deadline:
                    raise
            time.sleep(READY_PAUSE)


def _await_sessions(cluster: Any, seconds: float) -> None:
    """Return when every node lets us in, or after `seconds`: a node may be down.

    The SDK lends a bucket out when the first node does, and puts aside what is for the others. An operation that is put
    aside in the moment in which its node becomes ready is forgotten there until it times out (seen in 4.6.3). The SDK's
    own wait_until_ready looks only ten times a second.
    """
    deadline = time.monotonic() + seconds
    while cluster.diagnostics().state is not ClusterState.Online and time.monotonic() < deadline:
        time.sleep(SESSION_PAUSE)


def _unless_present(create: Callable[[], object], present: type[Exception]) -> None:
    try:
        create()
    except present:
        return


def _options(settings: Settings) -> Any:
    """Without the SDK's reporters: each would leave a thread behind per connection, and nobody reads them."""
    ca = {} if settings.ca is None else {"cert_path": str(settings.ca)}
    return ClusterOptions(
        PasswordAuthenticator(settings.username, settings.password, **ca),
        transcoder=RawJSONTranscoder(),
        timeout_options=ClusterTimeoutOptions(
            bootstrap_timeout=settings.connect_timeout,
            connect_timeout=settings.connect_timeout,
            kv_timeout=settings.timeout,
            management_timeout=MANAGEMENT_TIMEOUT,
        ),
        enable_metrics=False,
        enable_tracing=False,
        enable_orphan_reporting=False,
        enable_app_telemetry=False,
    )
