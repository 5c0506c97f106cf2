"""A raw client of the protocol, for the server's own tests: sockets and bytes, no SDK."""

import base64
import hashlib
import hmac
import socket
import ssl
import struct
import zlib
from dataclasses import dataclass, replace

from tests.couchbase_server.wire import (
    HEADER,
    HEADER_SIZE,
    RESPONSE,
    Feature,
    Opcode,
    Request,
    encode_request,
    leb128,
)

TIMEOUT = 5


@dataclass(frozen=True, slots=True)
class Reply:
    opcode: int
    status: int
    opaque: int
    cas: int
    extras: bytes
    key: bytes
    value: bytes
    datatype: int


class Client:
    """One connection. `ask` sends a request and waits for its answer; `collection` is prefixed to keys when set."""

    def __init__(self, port: int, tls: ssl.SSLContext | None = None) -> None:
        plain = socket.create_connection(("127.0.0.1", port), TIMEOUT)
        self._socket = tls.wrap_socket(plain, server_hostname="localhost") if tls else plain
        self._opaque = 0xC0DE0000
        self.collection: int | None = None

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def ask(self, opcode: int, key: bytes = b"", **fields: object) -> Reply:
        """A request on a document, in the vBucket of its key; `fields` are those of Request."""
        request = Request(opcode, vbucket_of(key) if key else 0, key=key)
        if self.collection is not None and key:
            request = replace(request, key=leb128(self.collection) + key)
        return self.exchange(replace(request, **fields))  # type: ignore[arg-type]

    def exchange(self, request: Request) -> Reply:
        """Sends this very request (with a fresh opaque); asserts that the answer echoes opaque and opcode."""
        self._opaque += 1
        self.send(encode_request(replace(request, opaque=self._opaque)))
        reply = self.receive()
        assert reply.opaque == self._opaque
        assert reply.opcode == request.opcode
        return reply

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def impatient(self, opcode: int) -> Reply:
        """As `ask`, but TimeoutError after half a second."""
        self._socket.settimeout(0.5)
        try:
            return self.ask(opcode)
        finally:
            self._socket.settimeout(TIMEOUT)

    def receive(self) -> Reply:
        magic, opcode, keys, extras, datatype, status, total, opaque, cas = HEADER.unpack(self._exactly(HEADER_SIZE))
        assert magic == RESPONSE
        body = self._exactly(total)
        rest = extras + keys
        return Reply(opcode, status, opaque, cas, body[:extras], body[extras:rest], body[rest:], datatype)

    def _exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            piece = self._socket.recv(count - len(data))
            if not piece:
                raise ConnectionResetError(f"closed after {len(data)} of {count} bytes")
            data += piece
        return data

    def hello(self, *features: int) -> tuple[int, ...]:
        """The features granted."""
        asked = struct.pack(f">{len(features)}H", *features)
        reply = self.exchange(Request(Opcode.HELLO, key=b"test", value=asked))
        assert reply.status == 0
        return struct.unpack(f">{len(reply.value) // 2}H", reply.value)

    def scram(self, mechanism: str, user: str, password: str) -> Reply:
        """The client's side of RFC 5802; asserts the server's own proof when it accepts."""
        algorithm = {"SCRAM-SHA512": "sha512", "SCRAM-SHA256": "sha256", "SCRAM-SHA1": "sha1"}[mechanism]
        bare = f"n={user},r=fyko+d2lbbFgONRv9qkxdawL"
        first = self.exchange(Request(Opcode.SASL_AUTH, key=mechanism.encode(), value=f"n,,{bare}".encode()))
        if first.status != 0x21:
            return first
        fields = dict(part.split("=", 1) for part in first.value.decode().split(","))
        salted = hashlib.pbkdf2_hmac(algorithm, password.encode(), base64.b64decode(fields["s"]), int(fields["i"]))
        final = f"c=biws,r={fields['r']}"
        text = f"{bare},{first.value.decode()},{final}".encode()
        client_key = hmac.digest(salted, b"Client Key", algorithm)
        signature = hmac.digest(hashlib.new(algorithm, client_key).digest(), text, algorithm)
        proof = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
        value = f"{final},p={base64.b64encode(proof).decode()}".encode()
        reply = self.exchange(Request(Opcode.SASL_STEP, key=mechanism.encode(), value=value))
        if reply.status == 0:
            expected = hmac.digest(hmac.digest(salted, b"Server Key", algorithm), text, algorithm)
            assert reply.value == b"v=" + base64.b64encode(expected)
        return reply

    def login(self, user: str, password: str, bucket: str, *features: int) -> None:
        """Everything up to the first document."""
        self.hello(*(features or (Feature.XERROR, Feature.SELECT_BUCKET)))
        assert self.scram("SCRAM-SHA512", user, password).status == 0
        assert self.exchange(Request(Opcode.SELECT_BUCKET, key=bucket.encode())).status == 0


def vbucket_of(key: bytes) -> int:
    """CRC-32 of the key, its upper half, modulo 1,024 vBuckets: what the hash algorithm "CRC" of the map means."""
    return (zlib.crc32(key) >> 16 & 0x7FFF) % 1024
