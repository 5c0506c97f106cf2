"""The SDK's objects for one bucket and scope: connecting, and creating what `store init` creates."""

import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any, Final

from couchbase.auth import PasswordAuthenticator  # type: ignore[import-untyped]
from couchbase.cluster import Cluster  # type: ignore[import-untyped]
from couchbase.diagnostics import ClusterState, EndpointState, ServiceType  # type: ignore[import-untyped]
from couchbase.exceptions import (  # type: ignore[import-untyped]
    CollectionAlreadyExistsException,
    CouchbaseException,
    DocumentNotFoundException,
    ScopeAlreadyExistsException,
)
from couchbase.options import ClusterOptions, ClusterTimeoutOptions, GetOptions  # type: ignore[import-untyped]
from couchbase.transcoder import RawJSONTranscoder  # type: ignore[import-untyped]

from storage.backends.couchbase.documents import RESERVED
from storage.backends.couchbase.errors import while_connecting
from storage.backends.couchbase.nodes import Collection, Nodes
from storage.backends.couchbase.url import CouchbaseUrl
from storage.base import NAMESPACES, Options
from storage.errors import Unavailable

PROBE: Final = f"{RESERVED}probe"
"""A key that is never written: reading it tells whether a collection answers."""

MANAGEMENT_TIMEOUT: Final = timedelta(seconds=10)
READY_SECONDS: Final = 30.0
"""How long a new collection may take to be known to every node."""

READY_PAUSE: Final = 0.05
SESSION_PAUSE: Final = 0.001


class Connection:
    """An open connection. `collections` maps each namespace to its collection, behind the breakers of `nodes`."""

    def __init__(self, cluster: Any, bucket: Any, scope: str, nodes: Nodes, timeout: float) -> None:
        self._cluster = cluster
        self._bucket = bucket
        self._scope = scope
        self._nodes = nodes
        nodes.connected = self.nodes_connected
        self.collections = {
            name: Collection(bucket.scope(scope).collection(name), nodes, timeout) for name in NAMESPACES
        }

    @classmethod
    def open(cls, url: CouchbaseUrl, options: Options, nodes: Nodes) -> "Connection":
        """Unavailable when the cluster does not let us in within the connect timeout."""
        try:
            cluster = Cluster(url.hosts, _options(options))
        except CouchbaseException as exc:
            raise while_connecting(exc) from exc
        try:
            bucket = cluster.bucket(url.bucket)
            _await_sessions(cluster, options.timeout.total_seconds())
        except CouchbaseException as exc:
            cluster.close()
            raise Unavailable(f"no access to the bucket {url.bucket!r} ({exc.message})") from exc
        return cls(cluster, bucket, url.scope, nodes, options.timeout.total_seconds())

    def nodes_connected(self) -> dict[str, bool]:
        """The addresses of the data nodes, and whether there is a connection to each at this moment."""
        endpoints = self._cluster.diagnostics().endpoints.get(ServiceType.KeyValue, [])
        return {one.remote: one.state is EndpointState.Connected for one in endpoints if one.namespace}

    def close(self) -> None:
        """Nothing of ours keeps it alive from now on: see link for why that matters."""
        if self._nodes.connected == self.nodes_connected:
            self._nodes.connected = dict
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


def _options(options: Options) -> Any:
    """Without the SDK's reporters: each would leave a thread behind per connection, and nobody reads them."""
    ca = {} if options.ca is None else {"cert_path": str(options.ca)}
    return ClusterOptions(
        PasswordAuthenticator(options.username, options.password, **ca),
        transcoder=RawJSONTranscoder(),
        timeout_options=ClusterTimeoutOptions(
            bootstrap_timeout=options.connect_timeout,
            connect_timeout=options.connect_timeout,
            kv_timeout=options.timeout,
            management_timeout=MANAGEMENT_TIMEOUT,
        ),
        enable_metrics=False,
        enable_tracing=False,
        enable_orphan_reporting=False,
        enable_app_telemetry=False,
    )
