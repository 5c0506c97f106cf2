"""Two nodes that share the vBuckets, and the map changing under the client."""

import json
from collections.abc import Iterator

import pytest

from tests.couchbase_server.client import Client, Reply, vbucket_of
from tests.couchbase_server.launch import BUCKET, PASSWORD, USER, Peer
from tests.couchbase_server.wire import Opcode, Request

STORE = bytes(8)
KEYS = [f"key{number}".encode() for number in range(40)]


@pytest.fixture
def pair() -> Iterator[Peer]:
    with Peer("--nodes", "2") as running:
        yield running


@pytest.fixture
def nodes(pair: Peer) -> Iterator[list[Client]]:
    with Client(pair.ports["kv"][0]) as first, Client(pair.ports["kv"][1]) as second:
        for client in (first, second):
            client.login(USER, PASSWORD, BUCKET)
        yield [first, second]


def config(reply: Reply) -> dict[str, object]:
    document: dict[str, object] = json.loads(reply.value)
    return document


def test_the_known_vbucket_of_a_key() -> None:
    assert vbucket_of(b"foo") == 115
    assert vbucket_of(b"hello") == 528


def test_each_node_serves_its_half_and_sends_the_map_for_the_other(nodes: list[Client]) -> None:
    owners = json.loads(nodes[0].exchange(Request(Opcode.CLUSTER_CONFIG)).value)["vBucketServerMap"]["vBucketMap"]
    assert owners == [[0]] * 512 + [[1]] * 512
    for key in KEYS:
        owner = owners[vbucket_of(key)][0]
        assert nodes[owner].ask(Opcode.SET, key, extras=STORE, value=b"v").status == 0x00
        refused = nodes[1 - owner].ask(Opcode.GET, key)
        assert refused.status == 0x07
        assert json.loads(refused.value)["vBucketServerMap"]["vBucketMap"] == owners


def test_a_vbucket_that_does_not_exist_is_nobodys(nodes: list[Client]) -> None:
    assert nodes[0].exchange(Request(Opcode.GET, vbucket=1024, key=b"key")).status == 0x07


def test_moved_vbuckets_answer_at_the_new_node_and_the_old_one_sends_the_newer_map(
    nodes: list[Client], pair: Peer
) -> None:
    before = config(nodes[0].exchange(Request(Opcode.CLUSTER_CONFIG)))
    keys = [key for key in KEYS if vbucket_of(key) < 512]
    for key in keys:
        nodes[0].ask(Opcode.SET, key, extras=STORE, value=key)
    pair.move(0, 511, 1)
    for key in keys:
        refused = nodes[0].ask(Opcode.GET, key)
        assert refused.status == 0x07
        assert config(refused)["rev"] == before["rev"] + 1  # type: ignore[operator]
        assert nodes[1].ask(Opcode.GET, key).value == key


def test_a_document_lies_in_the_vbucket_it_was_stored_in(nodes: list[Client]) -> None:
    nodes[0].exchange(Request(Opcode.SET, vbucket=1, extras=STORE, key=b"key", value=b"one"))
    assert nodes[0].exchange(Request(Opcode.GET, vbucket=2, key=b"key")).status == 0x01
    assert nodes[0].exchange(Request(Opcode.GET, vbucket=1, key=b"key")).value == b"one"
