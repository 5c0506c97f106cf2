"""The index of keys: a superset of what exists whatever happens in between, and tidied by scans."""

import zlib
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from couchbase.options import UpsertOptions  # type: ignore[import-untyped]
from couchbase.transcoder import RawBinaryTranscoder  # type: ignore[import-untyped]

from storage.backends.couchbase import index as couchbase_index
from storage.backends.couchbase.backend import CouchbaseBackend
from storage.backends.couchbase.cluster import Connection
from storage.backends.couchbase.index import GRACE, MIN_LINES, SHARDS, KeyIndex, Segment, read_shards
from storage.errors import StorageError, Unavailable
from tests.contracts.backend_store import Clock
from tests.couchbase_server.launch import Peer
from tests.couchbase_server.wire import Opcode
from tests.storage.backends.couchbase_peer import HASTY, backend_on, connected, initialised

SHARD = 5
KEYS = 40


@pytest.fixture(scope="module")
def peer() -> Iterator[Peer]:
    with Peer() as running:
        yield running


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def backend(peer: Peer, clock: Clock, request: pytest.FixtureRequest) -> Iterator[CouchbaseBackend]:
    with initialised(peer, _scope(request), now=clock) as made:
        yield made
    peer.heal()


@pytest.fixture
def hasty(backend: CouchbaseBackend, peer: Peer, request: pytest.FixtureRequest) -> Iterator[CouchbaseBackend]:
    """The same store for calls that are to fail, which they do soon."""
    made = backend_on(peer, _scope(request), timeout=HASTY)
    made.ping()
    yield made
    made.close()


@pytest.fixture
def connection(backend: CouchbaseBackend, peer: Peer, request: pytest.FixtureRequest) -> Iterator[Connection]:
    with connected(peer, _scope(request)) as made:
        yield made


def _scope(request: pytest.FixtureRequest) -> str:
    return "s" + format(hash(request.node.name) & 0xFFFFFFFF, "x")


def lines(connection: Connection) -> int:
    """How many lines the index of results has."""
    collection = connection.collections["results"]
    shards = read_shards(collection, range(SHARDS["results"]))
    return sum(segment.lines for segments in shards for segment in segments)


def segments_of(collection: Any, shard: int = SHARD) -> list[Segment]:
    return read_shards(collection, [shard])[0]


def test_a_key_is_listed_before_its_document_is_there(
    backend: CouchbaseBackend, hasty: CouchbaseBackend, peer: Peer
) -> None:
    """The worst crash: the line is written, the document never."""
    peer.fault("status", opcode=Opcode.SET, status=0x86)
    with pytest.raises(Unavailable):
        hasty.put("results", "k", b"{}")
    peer.heal()
    assert list(backend.scan("results")) == []
    backend.put("results", "k", b"{}")
    assert [key for key, _ in backend.scan("results")] == ["k"]


def test_a_document_is_never_written_when_its_line_is_not(
    backend: CouchbaseBackend, hasty: CouchbaseBackend, peer: Peer
) -> None:
    peer.fault("status", opcode=Opcode.APPEND, status=0x86)
    for write in (hasty.put, hasty.add):
        with pytest.raises(Unavailable):
            write("results", "k", b"{}")
    peer.heal()
    assert backend.get("results", "k") is None


def test_writing_over_a_document_adds_no_line(backend: CouchbaseBackend, connection: Connection) -> None:
    for _ in range(5):
        backend.put("results", "k", b"{}")
        assert backend.add("results", "k", b"{}") is False
    assert lines(connection) == 1


def test_what_nobody_lists_is_not_indexed(backend: CouchbaseBackend, peer: Peer) -> None:
    before = peer.requests(Opcode.APPEND), peer.requests(Opcode.ADD)
    backend.increment("limits", "c")
    for namespace in ("limits", "jobs", "keys"):
        backend.put(namespace, "v", b"{}")
    assert (peer.requests(Opcode.APPEND), peer.requests(Opcode.ADD)) == before
    with pytest.raises(StorageError, match="limits"):
        list(backend.scan("limits"))


def test_counters_of_a_listed_namespace_are_not_scanned(backend: CouchbaseBackend) -> None:
    backend.increment("results", "c", 1, timedelta(minutes=1))
    backend.increment("results", "c")
    backend.put("results", "v", b"{}")
    assert [key for key, _ in backend.scan("results")] == ["v"]


def test_keys_like_our_own_documents_are_listed_under_their_own_name(backend: CouchbaseBackend) -> None:
    names = {"$index/5/0", "$probe", "$", "plain"}
    for name in names:
        backend.put("results", name, b"{}")
    assert {key for key, _ in backend.scan("results")} == names
    assert {key for key, _ in backend.scan("results", "$")} == names - {"plain"}


def fill(backend: CouchbaseBackend, connection: Connection, clock: Clock) -> list[str]:
    """Keys of one shard, each written and removed several times, the first half present in the end."""
    keys = [key for key in (f"k{n}" for n in range(30_000)) if _shard(key) == SHARD][:KEYS]
    for _ in range(3):
        for key in keys:
            backend.put("results", key, b"{}")
            backend.remove("results", key)
    for key in keys[: KEYS // 2]:
        backend.put("results", key, b"{}")
    return keys


def _shard(key: str) -> int:
    return zlib.crc32(key.encode()) % SHARDS["results"]


def test_a_full_scan_drops_repeated_lines_at_once_and_dead_ones_after_a_while(
    backend: CouchbaseBackend, connection: Connection, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(couchbase_index, "MIN_LINES", KEYS)
    keys = fill(backend, connection, clock)
    assert lines(connection) == KEYS * 7 // 2
    assert {key for key, _ in backend.scan("results")} == set(keys[: KEYS // 2])
    assert lines(connection) == KEYS
    clock.advance(GRACE + 1)
    for key in keys[: KEYS // 2 - 5]:
        backend.remove("results", key)
        backend.put("results", key, b"{}")
    assert len(list(backend.scan("results"))) == KEYS // 2
    assert lines(connection) == KEYS // 2
    assert {key for key, _ in backend.scan("results")} == set(keys[: KEYS // 2])


def test_a_scan_by_prefix_changes_no_index(backend: CouchbaseBackend, connection: Connection, clock: Clock) -> None:
    fill(backend, connection, clock)
    before = lines(connection)
    assert list(backend.scan("results", "other")) == []
    assert lines(connection) == before > MIN_LINES


def test_a_shard_that_changes_while_it_is_read_is_left(
    backend: CouchbaseBackend, connection: Connection, clock: Clock
) -> None:
    keys = fill(backend, connection, clock)
    scan = backend.scan("results")
    next(scan)
    backend.remove("results", keys[0])
    backend.put("results", keys[0], b"{}")
    before = lines(connection)
    list(scan)
    assert lines(connection) == before
    assert len(list(backend.scan("results"))) == KEYS // 2


def test_a_line_cut_in_two_hides_no_other(backend: CouchbaseBackend, connection: Connection) -> None:
    collection = connection.collections["results"]
    content = b"zz:bad\0" + b"1:good\0" + b"\xff\0" + b"2:cut"
    collection.upsert("$index/9/0", content, UpsertOptions(transcoder=RawBinaryTranscoder()))
    assert segments_of(collection, 9)[0].keys == {"good": 1}


def test_a_full_segment_is_followed_by_another(
    connection: Connection, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(couchbase_index, "SIZE_CHECKS", 1)
    monkeypatch.setattr(couchbase_index, "MAX_SEGMENT", 100)
    collection, index = connection.collections["results"], KeyIndex(clock)
    keys = [key for key in (f"k{n}" for n in range(30_000)) if _shard(key) == SHARD][:30]
    for key in keys:
        index.add(collection, "results", key)
    segments = segments_of(collection)
    assert len(segments) > 3
    assert [key for segment in segments for key in segment.keys] == keys
    newcomer = KeyIndex(clock)
    newcomer.add(collection, "results", keys[0])
    assert keys[0] in segments_of(collection)[0].keys


def test_a_segment_at_the_servers_limit_is_followed_by_another(
    connection: Connection, clock: Clock, peer: Peer
) -> None:
    collection, index = connection.collections["results"], KeyIndex(clock)
    keys = [key for key in (f"k{n}" for n in range(30_000)) if _shard(key) == SHARD][:2]
    index.add(collection, "results", keys[0])
    peer.fault("status", opcode=Opcode.APPEND, status=0x03, count=1)
    index.add(collection, "results", keys[1])
    assert [list(segment.keys) for segment in segments_of(collection)] == [[keys[0]], [keys[1]]]


def test_after_the_bucket_was_emptied_the_first_segment_is_begun_again(connection: Connection, clock: Clock) -> None:
    collection, index = connection.collections["results"], KeyIndex(clock)
    key = next(key for key in (f"k{n}" for n in range(30_000)) if _shard(key) == SHARD)
    index._current["results", SHARD] = 3
    index.add(collection, "results", key)
    assert [list(segment.keys) for segment in segments_of(collection)] == [[key]]


def test_lines_are_kept_once_over_all_segments(connection: Connection, clock: Clock) -> None:
    collection, index = connection.collections["results"], KeyIndex(clock)
    keys = [key for key in (f"k{n}" for n in range(30_000)) if _shard(key) == SHARD][:MIN_LINES]
    for segment in (0, 1):
        index._current["results", SHARD] = segment
        for key in keys:
            index.add(collection, "results", key)
        clock.advance(1)
    index.compact(collection, segments_of(collection), set(keys))
    assert [len(segment.keys) for segment in segments_of(collection)] == [0, MIN_LINES]
