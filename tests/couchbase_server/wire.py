"""Packets of the memcached binary protocol as Couchbase extends it (kv_engine, docs/BinaryProtocol.md)."""

import struct
from dataclasses import dataclass, field
from enum import IntEnum

HEADER = struct.Struct(">BBHBBHIIQ")
FLEXIBLE_HEADER = struct.Struct(">BBBBBBHIIQ")
HEADER_SIZE = 24
REQUEST, RESPONSE, FLEXIBLE_REQUEST = 0x80, 0x81, 0x08
MAX_BODY = 24 * 1024 * 1024
JSON_DATATYPE = 0x01


class Opcode(IntEnum):
    GET = 0x00
    SET = 0x01
    ADD = 0x02
    REPLACE = 0x03
    DELETE = 0x04
    INCREMENT = 0x05
    DECREMENT = 0x06
    QUIT = 0x07
    NOOP = 0x0A
    VERSION = 0x0B
    APPEND = 0x0E
    PREPEND = 0x0F
    TOUCH = 0x1C
    GET_AND_TOUCH = 0x1D
    HELLO = 0x1F
    SASL_LIST = 0x20
    SASL_AUTH = 0x21
    SASL_STEP = 0x22
    SELECT_BUCKET = 0x89
    GET_AND_LOCK = 0x94
    UNLOCK = 0x95
    CLUSTER_CONFIG = 0xB5
    MANIFEST = 0xBA
    COLLECTION_ID = 0xBB
    SCOPE_ID = 0xBC
    ERROR_MAP = 0xFE


class Status(IntEnum):
    OK = 0x00
    NOT_FOUND = 0x01
    EXISTS = 0x02
    TOO_BIG = 0x03
    INVALID = 0x04
    NOT_STORED = 0x05
    NOT_A_NUMBER = 0x06
    NOT_MY_VBUCKET = 0x07
    NO_BUCKET = 0x08
    LOCKED = 0x09
    AUTH_ERROR = 0x20
    AUTH_CONTINUE = 0x21
    RANGE = 0x22
    NO_ACCESS = 0x24
    UNKNOWN_FRAME_INFO = 0x80
    UNKNOWN_COMMAND = 0x81
    OUT_OF_MEMORY = 0x82
    NOT_SUPPORTED = 0x83
    BUSY = 0x85
    TEMPORARY_FAILURE = 0x86
    UNKNOWN_COLLECTION = 0x88
    UNKNOWN_SCOPE = 0x8C
    BAD_DURABILITY_LEVEL = 0xA0


class Feature(IntEnum):
    TCP_NODELAY = 0x03
    MUTATION_SEQNO = 0x04
    XERROR = 0x07
    SELECT_BUCKET = 0x08
    JSON = 0x0B
    ALT_REQUEST = 0x10
    SYNC_REPLICATION = 0x11
    COLLECTIONS = 0x12
    PRESERVE_EXPIRY = 0x14


class BadPacket(Exception):
    """The bytes are no packet of this protocol; the connection is of no more use."""


class Refused(Exception):
    """The request is answered with `status`."""

    def __init__(self, status: Status, value: bytes = b"", datatype: int = 0) -> None:
        super().__init__(status.name)
        self.response = Response(status, value=value, datatype=datatype)


@dataclass(frozen=True, slots=True)
class Request:
    opcode: int
    vbucket: int = 0
    opaque: int = 0
    cas: int = 0
    extras: bytes = b""
    key: bytes = b""
    value: bytes = b""
    datatype: int = 0
    frames: tuple[tuple[int, bytes], ...] = ()


@dataclass(slots=True)
class Response:
    status: Status = Status.OK
    cas: int = 0
    extras: bytes = b""
    key: bytes = b""
    value: bytes = b""
    datatype: int = field(default=0)


def body_length(header: bytes) -> int:
    """Bytes that follow this header; BadPacket when it is no request's."""
    if header[0] not in (REQUEST, FLEXIBLE_REQUEST):
        raise BadPacket(f"magic {header[0]:#x}")
    length = int.from_bytes(header[8:12], "big")
    if length > MAX_BODY:
        raise BadPacket(f"a body of {length} bytes")
    return length


def parse_request(header: bytes, body: bytes) -> Request:
    if header[0] == FLEXIBLE_REQUEST:
        _, opcode, framing, key_length, extras_length, datatype, vbucket, _, opaque, cas = FLEXIBLE_HEADER.unpack(
            header
        )
    else:
        _, opcode, key_length, extras_length, datatype, vbucket, _, opaque, cas = HEADER.unpack(header)
        framing = 0
    start = framing + extras_length
    if start + key_length > len(body):
        raise BadPacket("extras and key are longer than the body")
    return Request(
        opcode=opcode,
        vbucket=vbucket,
        opaque=opaque,
        cas=cas,
        extras=body[framing:start],
        key=body[start : start + key_length],
        value=body[start + key_length :],
        datatype=datatype,
        frames=parse_frames(body[:framing]),
    )


def encode_request(request: Request) -> bytes:
    """For the tests' raw client: plain framing, or the flexible one when there are frame infos."""
    framing = b"".join(bytes([(number << 4) | len(data)]) + data for number, data in request.frames)
    body = framing + request.extras + request.key + request.value
    lengths = (len(request.extras), request.datatype, request.vbucket, len(body), request.opaque, request.cas)
    if request.frames:
        return FLEXIBLE_HEADER.pack(FLEXIBLE_REQUEST, request.opcode, len(framing), len(request.key), *lengths) + body
    return HEADER.pack(REQUEST, request.opcode, len(request.key), *lengths) + body


def encode_response(opcode: int, opaque: int, response: Response) -> bytes:
    body = response.extras + response.key + response.value
    header = HEADER.pack(
        RESPONSE,
        opcode,
        len(response.key),
        len(response.extras),
        response.datatype,
        response.status,
        len(body),
        opaque,
        response.cas,
    )
    return header + body


def parse_frames(data: bytes) -> tuple[tuple[int, bytes], ...]:
    """FrameInfo objects: 4 bits of id, 4 bits of length, each escaped by 15 to a further byte."""
    frames = []
    position = 0
    while position < len(data):
        number, length = data[position] >> 4, data[position] & 0x0F
        position += 1
        if number == 15:
            number, position = 15 + _byte(data, position), position + 1
        if length == 15:
            length, position = 15 + _byte(data, position), position + 1
        if position + length > len(data):
            raise BadPacket("a frame info runs over its section")
        frames.append((number, data[position : position + length]))
        position += length
    return tuple(frames)


def _byte(data: bytes, position: int) -> int:
    if position >= len(data):
        raise BadPacket("a frame info runs over its section")
    return data[position]


def leb128(number: int) -> bytes:
    """Unsigned LEB128, shortest form (Collections.md)."""
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def split_collection(key: bytes) -> tuple[int, bytes]:
    """(collection id, rest of the key); Refused when the prefix is no canonical LEB128 of at most 5 bytes."""
    number = 0
    for position, byte in enumerate(key[:5]):
        number |= (byte & 0x7F) << (7 * position)
        if not byte & 0x80:
            if position and not byte:
                break
            return number, key[position + 1 :]
    raise Refused(Status.INVALID)
