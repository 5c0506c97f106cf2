"""The commands on single documents, as BinaryProtocol.md and memcached's protocol.txt describe them."""

import struct

import pytest

from tests.couchbase_server.client import Client
from tests.couchbase_server.launch import BUCKET, PASSWORD, USER, Peer
from tests.couchbase_server.wire import Feature, Opcode

DAYS = 24 * 3600
MUTATIONS = [Opcode.SET, Opcode.REPLACE]


def store(expiry: int = 0, flags: int = 0) -> bytes:
    return struct.pack(">II", flags, expiry)


def counting(delta: int, initial: int = 0, expiry: int = 0) -> bytes:
    return struct.pack(">QQI", delta, initial, expiry)


def test_get_of_a_missing_key_is_not_found(client: Client, key: bytes) -> None:
    reply = client.ask(Opcode.GET, key)
    assert (reply.status, reply.cas, reply.extras) == (0x01, 0, b"")


def test_get_answers_flags_value_and_cas_but_not_the_key(client: Client, key: bytes) -> None:
    stored = client.ask(Opcode.SET, key, extras=store(flags=0xDEADBEEF), value=b"World")
    assert stored.cas != 0
    assert (stored.extras, stored.key, stored.value) == (b"", b"", b"")
    reply = client.ask(Opcode.GET, key)
    assert (reply.status, reply.value, reply.extras, reply.key) == (0, b"World", b"\xde\xad\xbe\xef", b"")
    assert reply.cas == stored.cas


def test_set_is_unconditional_and_every_mutation_makes_a_new_cas(client: Client, key: bytes) -> None:
    seen = {client.ask(Opcode.SET, key, extras=store(), value=value).cas for value in (b"1", b"2", b"2")}
    assert len(seen) == 3
    assert client.ask(Opcode.GET, key).value == b"2"


def test_add_fails_with_key_exists_when_present(client: Client, key: bytes) -> None:
    assert client.ask(Opcode.ADD, key, extras=store(), value=b"1").status == 0x00
    assert client.ask(Opcode.ADD, key, extras=store(), value=b"2").status == 0x02
    assert client.ask(Opcode.GET, key).value == b"1"


def test_replace_fails_with_not_found_when_missing(client: Client, key: bytes) -> None:
    assert client.ask(Opcode.REPLACE, key, extras=store(), value=b"1").status == 0x01
    assert client.ask(Opcode.GET, key).status == 0x01


@pytest.mark.parametrize("opcode", MUTATIONS)
def test_a_cas_makes_a_write_conditional(client: Client, key: bytes, opcode: int) -> None:
    cas = client.ask(Opcode.SET, key, extras=store(), value=b"1").cas
    assert client.ask(opcode, key, extras=store(), value=b"2", cas=cas + 1).status == 0x02
    assert client.ask(Opcode.GET, key).value == b"1"
    assert client.ask(opcode, key, extras=store(), value=b"2", cas=cas).status == 0x00
    assert client.ask(Opcode.GET, key).value == b"2"


@pytest.mark.parametrize("opcode", MUTATIONS)
def test_a_cas_for_a_missing_document_is_not_found(client: Client, key: bytes, opcode: int) -> None:
    assert client.ask(opcode, key, extras=store(), value=b"1", cas=7).status == 0x01
    assert client.ask(Opcode.GET, key).status == 0x01


def test_delete_minds_the_cas_and_answers_not_found_the_second_time(client: Client, key: bytes) -> None:
    cas = client.ask(Opcode.SET, key, extras=store(), value=b"1").cas
    assert client.ask(Opcode.DELETE, key, cas=cas + 1).status == 0x02
    assert client.ask(Opcode.DELETE, key, cas=cas).status == 0x00
    assert client.ask(Opcode.DELETE, key).status == 0x01
    assert client.ask(Opcode.GET, key).status == 0x01


def test_append_and_prepend_keep_flags(client: Client, key: bytes) -> None:
    client.ask(Opcode.SET, key, extras=store(flags=5), value=b"b")
    assert client.ask(Opcode.APPEND, key, value=b"c").cas != 0
    assert client.ask(Opcode.PREPEND, key, value=b"a").status == 0x00
    reply = client.ask(Opcode.GET, key)
    assert (reply.value, reply.extras) == (b"abc", b"\0\0\0\5")


@pytest.mark.parametrize("opcode", [Opcode.APPEND, Opcode.PREPEND])
def test_append_to_a_missing_key_is_not_stored(client: Client, key: bytes, opcode: int) -> None:
    assert client.ask(opcode, key, value=b"x").status == 0x05
    assert client.ask(Opcode.GET, key).status == 0x01


def test_a_missing_counter_is_seeded_with_the_initial_value(client: Client, key: bytes) -> None:
    reply = client.ask(Opcode.INCREMENT, key, extras=counting(1, initial=41))
    assert (reply.status, reply.value) == (0x00, struct.pack(">Q", 41))
    reply = client.ask(Opcode.INCREMENT, key, extras=counting(2, initial=41))
    assert reply.value == struct.pack(">Q", 43)
    read = client.ask(Opcode.GET, key)
    assert (read.value, read.extras, read.cas) == (b"43", b"\0\0\0\0", reply.cas)


@pytest.mark.parametrize("opcode", [Opcode.INCREMENT, Opcode.DECREMENT])
def test_an_expiry_of_all_ones_does_not_create(client: Client, key: bytes, opcode: int) -> None:
    assert client.ask(opcode, key, extras=counting(1, 1, 0xFFFFFFFF)).status == 0x01
    assert client.ask(Opcode.GET, key).status == 0x01


def test_decrement_stops_at_zero_and_increment_wraps(client: Client, key: bytes) -> None:
    client.ask(Opcode.SET, key, extras=store(), value=b"5")
    assert client.ask(Opcode.DECREMENT, key, extras=counting(9)).value == struct.pack(">Q", 0)
    client.ask(Opcode.SET, key, extras=store(), value=str(2**64 - 1).encode())
    assert client.ask(Opcode.INCREMENT, key, extras=counting(3)).value == struct.pack(">Q", 2)


@pytest.mark.parametrize("value", [b"abc", b"", b"-1", b"1.5", b'{"a":1}'])
def test_counting_what_is_no_number_is_an_error(client: Client, key: bytes, value: bytes) -> None:
    client.ask(Opcode.SET, key, extras=store(), value=value)
    assert client.ask(Opcode.INCREMENT, key, extras=counting(1)).status == 0x06
    assert client.ask(Opcode.GET, key).value == value


def test_an_expiry_counts_from_now_and_a_later_write_drops_it(client: Client, peer: Peer, key: bytes) -> None:
    client.ask(Opcode.SET, key, extras=store(expiry=100), value=b"1")
    client.ask(Opcode.SET, key + b"2", extras=store(expiry=100), value=b"1")
    client.ask(Opcode.SET, key + b"2", extras=store(), value=b"1")
    peer.advance(98)
    assert client.ask(Opcode.GET, key).status == 0x00
    peer.advance(2)
    assert client.ask(Opcode.GET, key).status == 0x01
    assert client.ask(Opcode.GET, key + b"2").status == 0x00
    assert client.ask(Opcode.ADD, key, extras=store(), value=b"1").status == 0x00


def test_an_expiry_above_thirty_days_is_unix_time(client: Client, key: bytes) -> None:
    assert client.ask(Opcode.SET, key, extras=store(expiry=30 * DAYS), value=b"1").status == 0x00
    assert client.ask(Opcode.GET, key).status == 0x00
    assert client.ask(Opcode.SET, key, extras=store(expiry=30 * DAYS + 1), value=b"1").status == 0x00
    assert client.ask(Opcode.GET, key).status == 0x01


def test_touch_moves_the_expiry_and_get_and_touch_answers_the_value_too(client: Client, peer: Peer, key: bytes) -> None:
    client.ask(Opcode.SET, key, extras=store(expiry=10, flags=3), value=b"v")
    assert client.ask(Opcode.TOUCH, key, extras=struct.pack(">I", 100)).value == b""
    peer.advance(50)
    reply = client.ask(Opcode.GET_AND_TOUCH, key, extras=struct.pack(">I", 100))
    assert (reply.value, reply.extras) == (b"v", b"\0\0\0\3")
    peer.advance(90)
    assert client.ask(Opcode.GET, key).status == 0x00
    peer.advance(10)
    assert client.ask(Opcode.TOUCH, key, extras=struct.pack(">I", 100)).status == 0x01


def test_touch_with_zero_makes_a_document_stay(client: Client, peer: Peer, key: bytes) -> None:
    client.ask(Opcode.SET, key, extras=store(expiry=10), value=b"v")
    client.ask(Opcode.TOUCH, key, extras=struct.pack(">I", 0))
    peer.advance(1000)
    assert client.ask(Opcode.GET, key).status == 0x00


def test_counting_and_appending_keep_the_expiry(client: Client, peer: Peer, key: bytes) -> None:
    client.ask(Opcode.INCREMENT, key, extras=counting(1, 1, 100))
    client.ask(Opcode.INCREMENT, key, extras=counting(1, 1, 10_000))
    client.ask(Opcode.APPEND, key, value=b"0")
    peer.advance(100)
    assert client.ask(Opcode.GET, key).status == 0x01


@pytest.mark.parametrize(
    ("opcode", "fields"),
    [
        (Opcode.GET, {"extras": b"\0\0\0\0"}),
        (Opcode.GET, {"value": b"v"}),
        (Opcode.SET, {"extras": b"\0\0\0\0"}),
        (Opcode.ADD, {"extras": b""}),
        (Opcode.DELETE, {"extras": b"\0"}),
        (Opcode.INCREMENT, {"extras": b"\0" * 8}),
        (Opcode.INCREMENT, {"extras": b"\0" * 20, "value": b"1"}),
        (Opcode.APPEND, {"extras": b"\0" * 8, "value": b"x"}),
        (Opcode.TOUCH, {"extras": b""}),
    ],
)
def test_a_request_of_the_wrong_form_is_invalid(
    client: Client, key: bytes, opcode: int, fields: dict[str, bytes]
) -> None:
    assert client.ask(opcode, key, **fields).status == 0x04


@pytest.mark.parametrize("length", [0, 251])
def test_a_key_has_1_to_250_bytes(client: Client, length: int) -> None:
    assert client.ask(Opcode.GET, b"k" * length).status == 0x04
    assert client.ask(Opcode.GET, b"k" * 250).status == 0x01


def test_a_value_may_have_twenty_mebibytes(client: Client, key: bytes) -> None:
    assert client.ask(Opcode.SET, key, extras=store(), value=b"x" * (20 * 1024 * 1024 + 1)).status == 0x03
    assert client.ask(Opcode.SET, key, extras=store(), value=b"x" * (20 * 1024 * 1024)).status == 0x00
    assert client.ask(Opcode.APPEND, key, value=b"x").status == 0x03
    assert client.ask(Opcode.DELETE, key).status == 0x00


def test_an_unknown_command_is_answered_so(client: Client, key: bytes) -> None:
    assert client.ask(0xD0, key).status == 0x81


def test_a_noop_is_answered_with_nothing(client: Client) -> None:
    reply = client.ask(Opcode.NOOP)
    assert (reply.status, reply.extras, reply.key, reply.value) == (0, b"", b"", b"")


def test_quit_is_answered_and_ends_the_connection(client: Client) -> None:
    assert client.ask(Opcode.QUIT).status == 0x00
    with pytest.raises(ConnectionResetError):
        client.ask(Opcode.NOOP)


def test_mutations_carry_a_token_for_clients_that_asked_for_it(peer: Peer, key: bytes) -> None:
    with Client(peer.ports["kv"][0]) as client:
        client.login(USER, PASSWORD, BUCKET, Feature.MUTATION_SEQNO)
        first = client.ask(Opcode.SET, key, extras=store(), value=b"1")
        counted = client.ask(Opcode.INCREMENT, key, extras=counting(1))
        removed = client.ask(Opcode.DELETE, key)
        assert [len(reply.extras) for reply in (first, counted, removed)] == [16, 16, 16]
        assert first.extras[:8] == removed.extras[:8]
        assert first.extras[8:] < counted.extras[8:] < removed.extras[8:]


def test_the_json_bit_is_set_for_clients_that_understand_it(client: Client, peer: Peer, key: bytes) -> None:
    client.ask(Opcode.SET, key, extras=store(), value=b'{"a": 1}', datatype=0)
    assert client.ask(Opcode.GET, key).datatype == 0
    with Client(peer.ports["kv"][0]) as modern:
        modern.login(USER, PASSWORD, BUCKET, Feature.JSON)
        assert modern.ask(Opcode.GET, key).datatype == 1
        modern.ask(Opcode.SET, key, extras=store(), value=b"\x80")
        assert modern.ask(Opcode.GET, key).datatype == 0
