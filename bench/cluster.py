"""Couchbase for the benchmarks.

It is the cluster that COUCHBASE_TEST_URL, _USERNAME, _PASSWORD and _BUCKET name. Without them it is the protocol server
of the tests, as a process of its own; it is written in Python, and its time is then in the figures.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

from storage.base import Backend
from storage.connect import open_backend

SCOPE = "bench"
TIMEOUT = timedelta(seconds=2.5)
CONNECT_TIMEOUT = timedelta(seconds=10)
BUCKET, USERNAME, PASSWORD = "abstracts", "tester", "secret"
"""What the tests' server lets in by default."""


@dataclass(frozen=True)
class Cluster:
    """Where it is, as the settings have it."""

    url: str
    username: str
    password: str

    def backend(self) -> Backend:
        """A backend that is not yet connected; the caller closes it."""
        return open_backend(
            self.url,
            username=self.username,
            password=self.password,
            timeout=TIMEOUT,
            connect_timeout=CONNECT_TIMEOUT,
        )


@contextmanager
def couchbase_cluster() -> Iterator[Cluster]:
    """With a scope that `store init` has made; it stays in a cluster of the environment's, for the next run."""
    hosts = os.environ.get("COUCHBASE_TEST_URL")
    if hosts:
        names = ("COUCHBASE_TEST_BUCKET", "COUCHBASE_TEST_USERNAME", "COUCHBASE_TEST_PASSWORD")
        bucket, username, password = (os.environ[name] for name in names)
        cluster = Cluster(f"{hosts.rstrip('/')}/{bucket}/{SCOPE}", username, password)
        _initialise(cluster)
        yield cluster
        return
    command = [sys.executable, "-m", "tests.couchbase_server"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        port = json.loads(server.stdout.readline())["kv"][0]
        cluster = Cluster(f"couchbase://127.0.0.1:{port}/{BUCKET}/{SCOPE}", USERNAME, PASSWORD)
        try:
            _initialise(cluster)
            yield cluster
        finally:
            server.terminate()


def _initialise(cluster: Cluster) -> None:
    backend = cluster.backend()
    try:
        backend.init()
    finally:
        backend.close()
