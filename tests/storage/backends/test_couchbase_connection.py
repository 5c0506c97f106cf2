"""Being let in by Couchbase: passwords, scopes, several nodes, TLS, forks, and connections that end."""

import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import requests
from couchbase.exceptions import DocumentNotFoundException  # type: ignore[import-untyped]
from couchbase.options import GetOptions  # type: ignore[import-untyped]

from storage.backends.couchbase.backend import CouchbaseBackend
from storage.errors import Unavailable
from tests.contracts.backend_wait import wait_until
from tests.couchbase_server.certificates import make_certificates
from tests.couchbase_server.client import Client, vbucket_of
from tests.couchbase_server.launch import BUCKET, PASSWORD, ROOT, USER, Peer
from tests.couchbase_server.wire import Opcode
from tests.storage.backends.couchbase_peer import HASTY, answers, backend_on, connected, initialised

VALUE = b'{"a": 1}'


@pytest.fixture(scope="module")
def peer() -> Iterator[Peer]:
    with Peer("--nodes", "2") as running:
        yield running


@pytest.fixture
def backend(peer: Peer) -> Iterator[CouchbaseBackend]:
    with initialised(peer) as made:
        yield made
    peer.heal()


def test_a_wrong_password(peer: Peer) -> None:
    backend = backend_on(peer, password="wrong")
    with pytest.raises(Unavailable, match="refuses the user name or password"):
        backend.ping()
    backend.close()


def test_a_bucket_that_does_not_exist(peer: Peer) -> None:
    url = peer.url.replace(BUCKET, "another")
    backend = backend_on(peer, url=url, connect_timeout=timedelta(seconds=1))
    with pytest.raises(Unavailable, match="'another'"):
        backend.ping()
    backend.close()


def test_a_scope_that_was_not_initialised_names_the_remedy_until_it_is(peer: Peer) -> None:
    backend = backend_on(peer, "new", timeout=HASTY)
    for call in (backend.ping, lambda: backend.put("results", "k", VALUE), lambda: backend.get_many("results", ["k"])):
        with pytest.raises(Unavailable, match="run `store init`"):
            call()
    backend.init()
    backend.ping()
    backend.put("results", "k", VALUE)
    backend.close()


def test_a_missing_collection_names_the_remedy_and_init_makes_only_that(peer: Peer) -> None:
    with initialised(peer, "partial", timeout=HASTY) as backend:
        backend.put("keys", "k", VALUE)
        _rest(peer, "DELETE", "/partial/collections/results")
        with pytest.raises(Unavailable, match="run `store init`"):
            backend.ping()
        backend.init()
        backend.ping()
        assert backend.get("keys", "k") is not None


def test_a_collection_made_anew_by_another_is_found_again(peer: Peer) -> None:
    """The SDK alone goes on asking for the old one by its number, if the timeout is shorter than its patience."""
    with initialised(peer, "renewed", timeout=timedelta(milliseconds=250)) as backend:
        wait_until(lambda: answers(lambda: backend.put("limits", "k", VALUE)))
        _rest(peer, "DELETE", "/renewed/collections/limits")
        _rest(peer, "POST", "/renewed/collections", name="limits")
        wait_until(lambda: answers(lambda: backend.put("limits", "k", VALUE)))


def test_init_may_be_repeated_and_makes_one_scope_with_the_four_collections(
    backend: CouchbaseBackend, peer: Peer
) -> None:
    manifest = _rest(peer, "GET").json()
    backend.init()
    assert _rest(peer, "GET").json() == manifest
    collections = {scope["name"]: [one["name"] for one in scope["collections"]] for scope in manifest["scopes"]}
    assert collections["abstracts"] == ["results", "keys", "jobs", "limits"]


def _rest(peer: Peer, method: str, path: str = "", **form: str) -> requests.Response:
    url = f"http://127.0.0.1:{peer.ports['mgmt'][0]}/pools/default/buckets/{BUCKET}/scopes{path}"
    answer = requests.request(method, url, data=form, auth=(USER, PASSWORD), timeout=5)
    answer.raise_for_status()
    return answer


def test_both_nodes_hold_a_part_and_a_moved_part_is_found_again(backend: CouchbaseBackend, peer: Peer) -> None:
    keys = [f"moved{n}" for n in range(40)]
    for one in keys:
        backend.put("results", one, VALUE)
    assert {vbucket_of(one.encode()) // 512 for one in keys} == {0, 1}
    peer.move(0, 1023, 1)
    try:
        assert len(backend.get_many("results", keys)) == 40
        backend.put("results", keys[0], VALUE)
        with Client(peer.ports["kv"][0]) as client:
            client.login(USER, PASSWORD, BUCKET)
            assert client.ask(Opcode.GET, keys[0].encode()).status == 0x07
    finally:
        peer.move(0, 511, 0)
    assert len(backend.get_many("results", keys)) == 40


def test_a_connection_is_lent_out_when_every_node_is_ready(backend: CouchbaseBackend, peer: Peer) -> None:
    """Each node takes longer to let us in than the operations may take."""
    patience = timedelta(seconds=0.2)
    peer.fault("delay", opcode=Opcode.CLUSTER_CONFIG, seconds=0.35)
    with connected(peer) as connection:
        for key in (f"k{number}" for number in range(20)):
            with pytest.raises(DocumentNotFoundException):
                connection.collections["results"].get(key, GetOptions(timeout=patience))


def test_a_node_that_is_down_holds_up_the_first_call_for_the_timeout_at_most(
    backend: CouchbaseBackend, peer: Peer
) -> None:
    peer.fault("refuse", node=1)
    partial = backend_on(peer, timeout=HASTY)
    key = next(key for key in (f"k{number}" for number in range(20)) if vbucket_of(key.encode()) < 512)
    start = time.monotonic()
    assert partial.get("results", key) is None
    assert time.monotonic() - start < 4 * HASTY.total_seconds()
    partial.close()


def test_tls_with_an_authority_of_our_own(tmp_path: Path) -> None:
    made = make_certificates(tmp_path)
    with Peer("--certificate", str(made.certificate), "--key", str(made.key)) as peer:
        url = f"couchbases://127.0.0.1:{peer.ports['kv_tls'][0]}/{BUCKET}"
        with initialised(peer, url=url, ca=made.ca) as backend:
            backend.put("results", "k", VALUE)
            assert backend.get("results", "k") is not None
        stranger = make_certificates(_folder(tmp_path / "other"))
        assert ssl.create_default_context(cafile=str(stranger.ca)) is not None
        distrustful = backend_on(peer, url=url, ca=stranger.ca, connect_timeout=timedelta(seconds=0.5))
        with pytest.raises(Unavailable):
            distrustful.ping()
        distrustful.close()


def _folder(path: Path) -> Path:
    path.mkdir()
    return path


def test_connections_leave_no_threads_behind(peer: Peer) -> None:
    with initialised(peer) as backend:
        backend.ping()
        before = _threads()
        for _ in range(5):
            backend.close()
            backend.ping()
        assert _threads() <= before


def _threads() -> int:
    return len(list(Path("/proc/self/task").iterdir()))


EXITS = """
import os, sys
from datetime import timedelta
from storage.connect import open_backend
patience = {"timeout": timedelta(seconds=5), "connect_timeout": timedelta(seconds=10)}
backend = open_backend(sys.argv[1], username="tester", password="secret", **patience)
backend.close()
child = os.fork()
backend.ping()
if child:
    assert os.waitpid(child, 0)[1] == 0
sys.exit(0)
"""


def test_a_process_and_its_fork_end_with_the_connection_open(backend: CouchbaseBackend, peer: Peer) -> None:
    """Not closed by anyone: the interpreter's end must close it, and must not wait for threads that are not there."""
    done = subprocess.run(
        [sys.executable, "-c", EXITS, f"{peer.url}/abstracts"], cwd=ROOT, timeout=60, capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")
