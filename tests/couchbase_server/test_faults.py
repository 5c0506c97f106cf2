"""Faults on request, seen from a raw client."""

import time

import pytest

from tests.couchbase_server.client import Client, vbucket_of
from tests.couchbase_server.launch import Peer
from tests.couchbase_server.wire import Opcode, Request, encode_request

STORE = bytes(8)


def test_a_delayed_answer_comes_late_and_others_do_not_wait(client: Client, peer: Peer, key: bytes) -> None:
    peer.fault("delay", opcode=Opcode.GET, seconds=0.3, count=1)
    begin = time.monotonic()
    assert client.ask(Opcode.NOOP).status == 0x00
    assert client.ask(Opcode.GET, key).status == 0x01
    assert time.monotonic() - begin >= 0.3
    assert client.ask(Opcode.GET, key).status == 0x01


def test_a_dropped_answer_never_comes_though_the_operation_was_done(client: Client, peer: Peer, key: bytes) -> None:
    peer.fault("drop", opcode=Opcode.SET, count=1)
    request = Request(Opcode.SET, vbucket_of(key), extras=STORE, key=key, value=b"v")
    client.send(encode_request(request))
    assert client.ask(Opcode.GET, key).value == b"v"


@pytest.mark.parametrize("kind", ["disconnect", "cut"])
def test_a_connection_lost_before_the_answer_is_whole(client: Client, peer: Peer, key: bytes, kind: str) -> None:
    peer.fault(kind, opcode=Opcode.NOOP, count=1)
    with pytest.raises(ConnectionResetError, match="of 24 bytes"):
        client.ask(Opcode.NOOP)


def test_a_split_answer_is_whole_in_the_end(client: Client, peer: Peer, key: bytes) -> None:
    client.ask(Opcode.SET, key, extras=STORE, value=b"value")
    peer.fault("split", opcode=Opcode.GET, seconds=0.05, count=1)
    assert client.ask(Opcode.GET, key).value == b"value"


def test_a_status_on_request_and_the_operation_is_not_done(client: Client, peer: Peer, key: bytes) -> None:
    peer.fault("status", opcode=Opcode.SET, status=0x86, count=2)
    assert client.ask(Opcode.SET, key, extras=STORE, value=b"v").status == 0x86
    assert client.ask(Opcode.SET, key, extras=STORE, value=b"v").status == 0x86
    assert client.ask(Opcode.GET, key).status == 0x01
    assert client.ask(Opcode.SET, key, extras=STORE, value=b"v").status == 0x00


def test_a_wrong_cas_is_of_no_use(client: Client, peer: Peer, key: bytes) -> None:
    client.ask(Opcode.SET, key, extras=STORE, value=b"v")
    peer.fault("wrong_cas", opcode=Opcode.GET, count=1)
    wrong = client.ask(Opcode.GET, key).cas
    assert client.ask(Opcode.REPLACE, key, extras=STORE, value=b"w", cas=wrong).status == 0x02
    right = client.ask(Opcode.GET, key).cas
    assert client.ask(Opcode.REPLACE, key, extras=STORE, value=b"w", cas=right).status == 0x00


def test_refused_connections(peer: Peer) -> None:
    peer.fault("refuse", count=1)
    with Client(peer.ports["kv"][0]) as client, pytest.raises(ConnectionResetError):
        client.hello()
    with Client(peer.ports["kv"][0]) as client:
        assert client.hello() == ()


def test_healing_takes_faults_back_and_requests_are_counted(client: Client, peer: Peer, key: bytes) -> None:
    before = peer.requests(Opcode.GET)
    peer.fault("status", status=0x85)
    assert client.ask(Opcode.GET, key).status == 0x85
    peer.heal()
    assert client.ask(Opcode.GET, key).status == 0x01
    assert peer.requests(Opcode.GET) == before + 2
