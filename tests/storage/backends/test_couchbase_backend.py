"""What is particular to Couchbase: stored forms, clocks, repeated writes, errors."""

import time
from collections.abc import Iterator
from datetime import timedelta

import pytest

from storage.backends.couchbase.backend import CouchbaseBackend
from storage.backends.couchbase.cluster import Connection
from storage.errors import Conflict, Corrupt, Unavailable
from tests.couchbase_server.launch import Peer
from tests.couchbase_server.wire import Opcode
from tests.storage.backends.couchbase_peer import HASTY, backend_on, connected, initialised, raw

MINUTE = timedelta(minutes=1)
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


@pytest.fixture
def hasty(backend: CouchbaseBackend, peer: Peer) -> Iterator[CouchbaseBackend]:
    """The same store for calls that are to fail, which they do soon."""
    made = backend_on(peer, timeout=HASTY)
    made.ping()
    yield made
    made.close()


@pytest.fixture
def connection(backend: CouchbaseBackend, peer: Peer) -> Iterator[Connection]:
    with connected(peer) as made:
        yield made


@pytest.fixture
def key(request: pytest.FixtureRequest) -> str:
    name: str = request.node.name
    return name[:200]


def test_a_document_carries_its_expiry(backend: CouchbaseBackend, connection: Connection, key: str) -> None:
    before = time.time()
    backend.put("results", key, VALUE, MINUTE)
    document = raw(connection, "results", key)
    assert document["value"] == {"a": 1}
    assert before + 60 <= document["expires_at"] <= time.time() + 60


def test_an_entry_ends_by_its_own_expiry_before_the_server_drops_it(
    backend: CouchbaseBackend, peer: Peer, key: str
) -> None:
    """The server's clock stands, ours moves on: every method but the server's own must mind."""
    late = backend_on(peer, now=lambda: time.time() + 61)
    backend.put("results", key, VALUE, MINUTE)
    backend.increment("limits", key, 5, MINUTE)
    try:
        assert late.get("results", key) is None
        assert late.get_many("results", [key]) == {}
        assert key not in dict(late.scan("results"))
        assert late.counter("limits", key) == (0, None)
        assert late.increment("limits", key, 2, MINUTE) == 2
        assert late.add("results", key, b'{"b": 2}') is True
    finally:
        late.close()
    entry = backend.get("results", key)
    assert entry is not None
    assert entry.value == b'{"b": 2}'


def test_the_server_forgets_what_has_expired(
    backend: CouchbaseBackend, connection: Connection, peer: Peer, key: str
) -> None:
    backend.put("results", key, VALUE, MINUTE)
    backend.increment("limits", key, 1, MINUTE)
    peer.advance(62)
    try:
        for namespace in ("results", "limits"):
            with pytest.raises(Exception, match="DocumentNotFound"):
                connection.collections[namespace].get(key)
    finally:
        peer.advance(-62)


def test_an_upsert_whose_answer_was_lost_is_repeated_once(hasty: CouchbaseBackend, peer: Peer, key: str) -> None:
    before = peer.requests(Opcode.SET)
    peer.fault("drop", opcode=Opcode.SET, count=1)
    hasty.put("limits", key, VALUE)
    assert peer.requests(Opcode.SET) == before + 2
    peer.fault("drop", opcode=Opcode.SET, count=2)
    with pytest.raises(Unavailable, match="in time"):
        hasty.put("limits", key, VALUE)
    assert peer.requests(Opcode.SET) == before + 4


def test_an_increment_whose_answer_was_lost_is_not_repeated(hasty: CouchbaseBackend, peer: Peer, key: str) -> None:
    before = peer.requests(Opcode.INCREMENT)
    peer.fault("drop", opcode=Opcode.INCREMENT, count=1)
    with pytest.raises(Unavailable, match="may have taken effect"):
        hasty.increment("limits", key, 1, MINUTE)
    assert peer.requests(Opcode.INCREMENT) == before + 1
    assert hasty.counter("limits", key)[0] == 1


def test_an_add_whose_answer_was_lost_is_not_taken_for_anothers(hasty: CouchbaseBackend, peer: Peer, key: str) -> None:
    peer.fault("drop", opcode=Opcode.ADD)
    with pytest.raises(Unavailable):
        hasty.add("limits", key, VALUE)


def test_a_lost_answer_for_one_of_many_keys_is_no_absence(hasty: CouchbaseBackend, peer: Peer, key: str) -> None:
    keys = [f"{key}{n}" for n in range(20)]
    for one in keys:
        hasty.put("limits", one, VALUE)
    peer.fault("drop", opcode=Opcode.GET, count=1)
    with pytest.raises(Unavailable):
        hasty.get_many("limits", keys)
    assert set(hasty.get_many("limits", [*keys, "absent"])) == set(keys)


def test_answers_in_two_pieces_are_put_together(backend: CouchbaseBackend, peer: Peer, key: str) -> None:
    backend.put("results", key, VALUE)
    peer.fault("split", opcode=Opcode.GET, seconds=0.02, count=1)
    entry = backend.get("results", key)
    assert entry is not None
    assert entry.value == VALUE


def test_a_connection_lost_in_the_middle_of_an_answer(backend: CouchbaseBackend, peer: Peer, key: str) -> None:
    """The SDK reconnects; a read may be asked again by it, and is right or Unavailable."""
    backend.put("results", key, VALUE)
    peer.fault("cut", opcode=Opcode.GET, count=1)
    try:
        first = backend.get("results", key)
    except Unavailable:
        first = None
    assert first is None or first.value == VALUE
    assert _patiently(backend, key) == VALUE


def _patiently(backend: CouchbaseBackend, key: str) -> bytes | None:
    """The value once the store answers again."""
    deadline = time.monotonic() + 10
    while True:
        try:
            entry = backend.get("results", key)
        except Unavailable:
            if time.monotonic() > deadline:
                raise
        else:
            return entry.value if entry else None


@pytest.mark.parametrize(
    ("status", "message"), [(0x86, "temporary failure"), (0x09, "locked"), (0x82, "Couchbase"), (0x24, "Couchbase")]
)
def test_a_servers_refusals_are_outages(
    hasty: CouchbaseBackend, peer: Peer, key: str, status: int, message: str
) -> None:
    hasty.get("results", key)
    peer.fault("status", opcode=Opcode.SET, status=status)
    with pytest.raises(Unavailable, match=message):
        hasty.put("limits", key, VALUE)


def test_a_temporary_failure_that_passes_is_not_noticed(backend: CouchbaseBackend, peer: Peer, key: str) -> None:
    peer.fault("status", opcode=Opcode.SET, status=0x86, count=2)
    backend.put("limits", key, VALUE)
    assert backend.get("limits", key) is not None


def test_a_document_locked_by_another(hasty: CouchbaseBackend, connection: Connection, key: str) -> None:
    hasty.put("results", key, VALUE)
    connection.collections["results"].sdk.get_and_lock(key, timedelta(seconds=15))
    assert hasty.get("results", key) is not None
    with pytest.raises(Unavailable, match="locked"):
        hasty.put("results", key, VALUE)
    with pytest.raises(Unavailable, match="locked"):
        hasty.remove("results", key)


def test_a_wrong_version_from_the_server_conflicts(backend: CouchbaseBackend, peer: Peer, key: str) -> None:
    backend.put("results", key, VALUE)
    peer.fault("wrong_cas", opcode=Opcode.GET, count=1)
    entry = backend.get("results", key)
    assert entry is not None
    with pytest.raises(Conflict):
        backend.replace("results", key, VALUE, entry.version)


def test_a_foreign_document_is_corrupt_and_may_be_overwritten(
    backend: CouchbaseBackend, connection: Connection, key: str
) -> None:
    connection.collections["results"].upsert(key, b'{"other": true}')
    for read in (backend.get, backend.counter, lambda ns, k: backend.get_many(ns, [k])):
        with pytest.raises(Corrupt):
            read("results", key)
    backend.put("results", key, VALUE)
    assert backend.get("results", key) is not None


def test_a_foreign_document_does_not_end_a_listing(
    backend: CouchbaseBackend, connection: Connection, key: str, caplog: pytest.LogCaptureFixture
) -> None:
    backend.put("results", key, VALUE)
    backend.put("results", f"{key}2", VALUE)
    connection.collections["results"].upsert(key, b'{"other": true}')
    assert [name for name, _ in backend.scan("results", key)] == [f"{key}2"]
    assert f"cannot be read: results/{key}" in caplog.text


def test_a_value_beyond_the_servers_limit_is_refused(peer: Peer, key: str) -> None:
    with initialised(peer) as patient, pytest.raises(ValueError, match="20 MiB"):
        patient.put("limits", key, b'{"a":"' + b"x" * 20 * 1024 * 1024 + b'"}')


def test_an_amount_beyond_the_counter_is_refused(backend: CouchbaseBackend, key: str) -> None:
    with pytest.raises(ValueError, match="at most"):
        backend.increment("limits", key, 2**31)
