"""Frame infos of the flexible request framing: durability, preserve expiry, and what is unknown."""

import struct

import pytest

from tests.couchbase_server.client import Client
from tests.couchbase_server.launch import Peer
from tests.couchbase_server.wire import Opcode

DURABILITY, STREAM_ID, PRESERVE_EXPIRY = 1, 2, 5


@pytest.mark.parametrize("data", [b"\x01", b"\x02", b"\x03", b"\x01\x00\x64"])
def test_durability_levels_with_and_without_a_timeout(client: Client, key: bytes, data: bytes) -> None:
    reply = client.ask(Opcode.SET, key, extras=bytes(8), value=b"v", frames=((DURABILITY, data),))
    assert reply.status == 0x00
    assert client.ask(Opcode.GET, key).value == b"v"


@pytest.mark.parametrize(
    ("data", "status"),
    [(b"\x00", 0xA0), (b"\x04", 0xA0), (b"\x01\x00\x00", 0x04), (b"\x01\xff\xff", 0x04), (b"\x01\x01", 0x04)],
)
def test_reserved_levels_and_timeouts_are_refused(client: Client, key: bytes, data: bytes, status: int) -> None:
    reply = client.ask(Opcode.SET, key, extras=bytes(8), value=b"v", frames=((DURABILITY, data),))
    assert reply.status == status
    assert client.ask(Opcode.GET, key).status == 0x01


@pytest.mark.parametrize(("opcode", "number"), [(Opcode.GET, DURABILITY), (Opcode.SET, STREAM_ID)])
def test_frame_infos_that_do_not_belong_are_refused(client: Client, key: bytes, opcode: int, number: int) -> None:
    extras = bytes(8) if opcode == Opcode.SET else b""
    assert client.ask(opcode, key, extras=extras, frames=((number, b"\x01"),)).status == 0x80


def test_preserve_expiry_keeps_what_the_document_had(client: Client, peer: Peer, key: bytes) -> None:
    client.ask(Opcode.SET, key, extras=struct.pack(">II", 0, 100), value=b"1")
    frames = ((PRESERVE_EXPIRY, b""),)
    assert client.ask(Opcode.SET, key, extras=struct.pack(">II", 0, 0), value=b"2", frames=frames).status == 0x00
    peer.advance(100)
    assert client.ask(Opcode.GET, key).status == 0x01
