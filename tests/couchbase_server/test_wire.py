"""Packets against the byte dumps of BinaryProtocol.md and the LEB128 table of Collections.md."""

import pytest

from tests.couchbase_server.wire import (
    BadPacket,
    Opcode,
    Refused,
    Request,
    Response,
    Status,
    body_length,
    encode_request,
    encode_response,
    leb128,
    parse_frames,
    parse_request,
    split_collection,
)

ADD_HELLO = bytes.fromhex(
    "80020005 08000000 00000012 00000000 00000000 00000000 deadbeef 00000e10 48656c6c 6f576f72 6c64".replace(" ", "")
)
LEB128_TABLE = {
    0x00: "00",
    0x01: "01",
    0x7F: "7f",
    0x80: "8001",
    0x555: "d50a",
    0x7FFF: "ffff01",
    0xBFFF: "ffff02",
    0xFFFF: "ffff03",
    0x8000: "808002",
    0x5555: "d5aa01",
    0xCAFEF00: "80debf65",
    0xCAFEF00D: "8de0fbd70c",
    0xFFFFFFFF: "ffffffff0f",
}


def test_the_documented_add_packet_is_parsed() -> None:
    request = parse_request(ADD_HELLO[:24], ADD_HELLO[24:])
    assert request == Request(Opcode.ADD, extras=bytes.fromhex("deadbeef00000e10"), key=b"Hello", value=b"World")
    assert body_length(ADD_HELLO) == 0x12


def test_the_documented_add_packet_is_what_the_client_sends() -> None:
    request = Request(Opcode.ADD, extras=bytes.fromhex("deadbeef00000e10"), key=b"Hello", value=b"World")
    assert encode_request(request) == ADD_HELLO


def test_the_documented_not_found_answer() -> None:
    expected = "81000000 00000001 00000009 00000000 00000000 00000000 4e6f7420 666f756e 64".replace(" ", "")
    assert encode_response(0x00, 0, Response(Status.NOT_FOUND, value=b"Not found")).hex() == expected


def test_the_documented_get_answer() -> None:
    answer = Response(cas=1, extras=b"\xde\xad\xbe\xef", value=b"World")
    expected = "81000000 04000000 00000009 00000000 00000000 00000001 deadbeef 576f726c 64".replace(" ", "")
    assert encode_response(0x00, 0, answer).hex() == expected


def test_flexible_framing_puts_frame_infos_before_extras() -> None:
    request = Request(Opcode.SET, extras=b"E" * 8, key=b"k", value=b"v", frames=((1, b"\x01"), (0, b"")))
    data = encode_request(request)
    assert data[0] == 0x08
    assert data[2] == 3
    assert data[3] == 1
    assert data[24:27] == b"\x11\x01\x00"
    assert parse_request(data[:24], data[24:]) == request


def test_frame_infos_with_escaped_id_and_length() -> None:
    assert parse_frames(b"\xf2\x05ab") == ((20, b"ab"),)
    assert parse_frames(b"\x1f\x01" + b"x" * 16) == ((1, b"x" * 16),)
    assert parse_frames(b"\xff\x01\x00" + b"x" * 15) == ((16, b"x" * 15),)


@pytest.mark.parametrize("data", [b"\x12\x01", b"\xf0", b"\x1f"])
def test_a_frame_info_cut_short_is_a_bad_packet(data: bytes) -> None:
    with pytest.raises(BadPacket):
        parse_frames(data)


@pytest.mark.parametrize("header", [b"\x81" + b"\0" * 23, b"\x80" + b"\0" * 7 + b"\xff" * 16])
def test_no_request_or_an_absurd_length_is_a_bad_packet(header: bytes) -> None:
    with pytest.raises(BadPacket):
        body_length(header)


def test_a_key_longer_than_the_body_is_a_bad_packet() -> None:
    with pytest.raises(BadPacket):
        parse_request(ADD_HELLO[:24], b"short")


@pytest.mark.parametrize(("number", "encoded"), LEB128_TABLE.items())
def test_collection_ids_are_leb128_as_in_the_table(number: int, encoded: str) -> None:
    assert leb128(number).hex() == encoded
    assert split_collection(bytes.fromhex(encoded) + b"key") == (number, b"key")


@pytest.mark.parametrize("prefix", ["8100", "818000", "81808000", "808080808000", "8080808080"])
def test_non_canonical_or_endless_collection_ids_are_refused(prefix: str) -> None:
    with pytest.raises(Refused) as refused:
        split_collection(bytes.fromhex(prefix))
    assert refused.value.response.status == Status.INVALID
