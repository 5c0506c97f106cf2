"""What a connection goes through before its first document: HELLO, error map, bucket, configuration."""

import json
import struct

import pytest

from tests.couchbase_server.client import Client
from tests.couchbase_server.launch import BUCKET, PASSWORD, USER, Peer
from tests.couchbase_server.wire import Feature, Opcode, Request

SNAPPY, XATTR, DUPLEX = 0x0A, 0x06, 0x0C


def test_hello_grants_only_what_is_asked_and_implemented(peer: Peer) -> None:
    with Client(peer.ports["kv"][0]) as client:
        assert client.hello(Feature.COLLECTIONS, SNAPPY, Feature.XERROR, XATTR, DUPLEX) == (0x12, 0x07)
        assert client.hello() == ()


def test_a_hello_with_half_a_feature_is_invalid(peer: Peer) -> None:
    with Client(peer.ports["kv"][0]) as client:
        assert client.exchange(Request(Opcode.HELLO, key=b"test", value=b"\0\x07\0")).status == 0x04


def test_the_error_map_names_the_statuses_and_keeps_to_the_version_asked(peer: Peer) -> None:
    with Client(peer.ports["kv"][0]) as client:
        document = json.loads(client.exchange(Request(Opcode.ERROR_MAP, value=struct.pack(">H", 2))).value)
        assert document["version"] == 2
        assert "temp" in document["errors"]["86"]["attrs"]
        assert document["errors"]["1"]["attrs"] == ["item-only"]
        assert json.loads(client.exchange(Request(Opcode.ERROR_MAP, value=struct.pack(">H", 1))).value)["version"] == 1
        assert client.exchange(Request(Opcode.ERROR_MAP)).status == 0x04


@pytest.mark.parametrize("opcode", [Opcode.GET, Opcode.SELECT_BUCKET, Opcode.CLUSTER_CONFIG, Opcode.NOOP])
def test_nothing_is_accessible_before_login(peer: Peer, opcode: int) -> None:
    with Client(peer.ports["kv"][0]) as client:
        assert client.ask(opcode, b"key").status == 0x24


def test_documents_need_a_bucket(peer: Peer) -> None:
    with Client(peer.ports["kv"][0]) as client:
        client.hello(Feature.XERROR)
        client.scram("SCRAM-SHA256", USER, PASSWORD)
        assert client.ask(Opcode.GET, b"key").status == 0x08
        assert client.exchange(Request(Opcode.SELECT_BUCKET, key=b"another")).status == 0x01
        assert client.ask(Opcode.GET, b"key").status == 0x08
        assert client.exchange(Request(Opcode.SELECT_BUCKET, key=BUCKET.encode())).status == 0x00
        assert client.ask(Opcode.GET, b"key").status == 0x01


def test_without_a_bucket_the_configuration_names_nodes_but_no_map(peer: Peer) -> None:
    with Client(peer.ports["kv"][0]) as client:
        client.scram("SCRAM-SHA256", USER, PASSWORD)
        config = json.loads(client.exchange(Request(Opcode.CLUSTER_CONFIG)).value)
        services = {"kv": peer.ports["kv"][0], "mgmt": peer.ports["mgmt"][0]}
        assert config["nodesExt"] == [{"services": services, "hostname": "127.0.0.1", "thisNode": True}]
        assert "vBucketServerMap" not in config


def test_with_a_bucket_the_configuration_has_a_map_of_1024_vbuckets(client: Client, peer: Peer) -> None:
    config = json.loads(client.exchange(Request(Opcode.CLUSTER_CONFIG)).value)
    assert config["name"] == BUCKET
    assert "collections" in config["bucketCapabilities"]
    assert config["vBucketServerMap"]["hashAlgorithm"] == "CRC"
    assert config["vBucketServerMap"]["serverList"] == [f"127.0.0.1:{peer.ports['kv'][0]}"]
    assert config["vBucketServerMap"]["vBucketMap"] == [[0]] * 1024
