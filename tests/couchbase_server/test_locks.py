"""Get-and-lock and unlock, after kv_engine's tests/testapp/testapp_lock.cc."""

import struct

import pytest

from tests.couchbase_server.client import Client
from tests.couchbase_server.launch import BUCKET, PASSWORD, USER, Peer
from tests.couchbase_server.wire import Feature, Opcode

STORE = bytes(8)
WRITES = [
    (Opcode.SET, STORE, b"2"),
    (Opcode.REPLACE, STORE, b"2"),
    (Opcode.APPEND, b"", b"2"),
    (Opcode.PREPEND, b"", b"2"),
    (Opcode.DELETE, b"", b""),
]


@pytest.fixture
def locked(client: Client, key: bytes) -> int:
    """The CAS of the lock on a document at `key` with the value 1."""
    client.ask(Opcode.SET, key, extras=STORE, value=b"1")
    reply = client.ask(Opcode.GET_AND_LOCK, key, extras=struct.pack(">I", 20))
    assert (reply.status, reply.value) == (0, b"1")
    return reply.cas


def test_a_missing_document_cannot_be_locked_or_unlocked(client: Client, key: bytes) -> None:
    assert client.ask(Opcode.GET_AND_LOCK, key).status == 0x01
    assert client.ask(Opcode.UNLOCK, key, cas=7).status == 0x01


@pytest.mark.parametrize(("opcode", "extras", "value"), WRITES)
def test_only_the_cas_of_the_lock_may_change_a_locked_document(
    client: Client, key: bytes, locked: int, opcode: int, extras: bytes, value: bytes
) -> None:
    assert client.ask(opcode, key, extras=extras, value=value).status == 0x09
    assert client.ask(opcode, key, extras=extras, value=value, cas=locked + 1).status == 0x09
    assert client.ask(opcode, key, extras=extras, value=value, cas=locked).status == 0x00
    assert client.ask(Opcode.SET, key, extras=STORE, value=b"3").status == 0x00


@pytest.mark.parametrize(
    ("opcode", "extras"),
    [
        (Opcode.INCREMENT, bytes(20)),
        (Opcode.TOUCH, bytes(4)),
        (Opcode.GET_AND_TOUCH, bytes(4)),
        (Opcode.GET_AND_LOCK, b""),
    ],
)
def test_what_takes_no_cas_is_refused_while_locked(
    client: Client, key: bytes, locked: int, opcode: int, extras: bytes
) -> None:
    assert client.ask(opcode, key, extras=extras).status == 0x09


def test_a_locked_document_is_read_without_its_cas(client: Client, key: bytes, locked: int) -> None:
    reply = client.ask(Opcode.GET, key)
    assert (reply.status, reply.value, reply.cas) == (0, b"1", 0xFFFFFFFFFFFFFFFF)


def test_unlocking_takes_the_cas_of_the_lock(client: Client, key: bytes, locked: int) -> None:
    assert client.ask(Opcode.UNLOCK, key).status == 0x04
    assert client.ask(Opcode.UNLOCK, key, cas=locked + 1).status == 0x09
    assert client.ask(Opcode.UNLOCK, key, cas=locked).status == 0x00
    assert client.ask(Opcode.SET, key, extras=STORE, value=b"2").status == 0x00


def test_a_lock_ends_by_itself(client: Client, peer: Peer, key: bytes, locked: int) -> None:
    peer.advance(19)
    assert client.ask(Opcode.SET, key, extras=STORE, value=b"2").status == 0x09
    peer.advance(2)
    assert client.ask(Opcode.SET, key, extras=STORE, value=b"2").status == 0x00


def test_clients_without_extended_errors_are_told_of_a_temporary_failure(peer: Peer, key: bytes, locked: int) -> None:
    with Client(peer.ports["kv"][0]) as old:
        old.login(USER, PASSWORD, BUCKET, Feature.SELECT_BUCKET)
        assert old.ask(Opcode.GET_AND_LOCK, key).status == 0x86
