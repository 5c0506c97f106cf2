"""SASL as kv_engine's sasl.md frames it: SCRAM (RFC 5802, RFC 7677) everywhere, PLAIN (RFC 4616) only under TLS."""

import base64
import hashlib
import hmac
import secrets

ITERATIONS = 4096
HASHES = {"SCRAM-SHA512": "sha512", "SCRAM-SHA256": "sha256", "SCRAM-SHA1": "sha1"}


class Denied(Exception):
    """The client did not prove that it knows the password, or did not keep to the mechanism."""


class Users:
    """Names and passwords."""

    def __init__(self, users: dict[str, str]) -> None:
        self._users = users

    def password(self, name: str) -> str:
        try:
            return self._users[name]
        except KeyError as exc:
            raise Denied(name) from exc

    def check(self, name: str, password: str) -> None:
        if not hmac.compare_digest(self.password(name).encode(), password.encode()):
            raise Denied(name)

    def check_basic(self, header: str) -> bool:
        """Whether this Authorization header (RFC 7617) is a user's."""
        kind, _, encoded = header.partition(" ")
        try:
            name, _, password = base64.b64decode(encoded).decode().partition(":")
            self.check(name, password)
        except (Denied, ValueError):
            return False
        return kind.lower() == "basic"


def mechanisms(tls: bool) -> list[str]:
    return [*HASHES, "PLAIN"] if tls else list(HASHES)


def plain(users: Users, message: bytes) -> None:
    """authorisation identity NUL name NUL password; Denied when wrong."""
    parts = message.split(b"\0")
    if len(parts) != 3:
        raise Denied("a PLAIN message has three parts")
    users.check(parts[1].decode(), parts[2].decode())


class Scram:
    """One SCRAM exchange, the server's side, without channel binding; salt and nonce are random unless given."""

    def __init__(self, users: Users, mechanism: str, salt: bytes = b"", nonce: str = "") -> None:
        self._users = users
        self._hash = HASHES[mechanism]
        self._salt = salt or secrets.token_bytes(16)
        self._own_nonce = nonce or secrets.token_urlsafe(18)
        self._bare = ""
        self._gs2 = ""
        self._server_first = ""
        self._salted = b""
        self._nonce = ""

    def first(self, message: bytes) -> bytes:
        """client-first-message -> server-first-message."""
        header, separator, bare = message.decode().partition(",,")
        if not separator or header not in ("n", "y"):
            raise Denied("channel binding is not offered")
        fields = _fields(bare)
        name = fields.get("n", "").replace("=2C", ",").replace("=3D", "=")
        password = self._users.password(name)
        self._gs2, self._bare = header + ",,", bare
        self._nonce = fields.get("r", "") + self._own_nonce
        self._salted = hashlib.pbkdf2_hmac(self._hash, password.encode(), self._salt, ITERATIONS)
        self._server_first = f"r={self._nonce},s={base64.b64encode(self._salt).decode()},i={ITERATIONS}"
        return self._server_first.encode()

    def final(self, message: bytes) -> bytes:
        """client-final-message -> server-final-message, the server's own proof; Denied when the client's is wrong."""
        without_proof, _, proof = message.decode().rpartition(",p=")
        fields = _fields(without_proof)
        if fields.get("r") != self._nonce or fields.get("c") != base64.b64encode(self._gs2.encode()).decode():
            raise Denied("another nonce or channel binding than was agreed")
        client_key = self._hmac(self._salted, b"Client Key")
        stored_key = hashlib.new(self._hash, client_key).digest()
        text = ",".join((self._bare, self._server_first, without_proof)).encode()
        signature = self._hmac(stored_key, text)
        expected = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
        if not hmac.compare_digest(expected, base64.b64decode(proof)):
            raise Denied("wrong proof")
        server_key = self._hmac(self._salted, b"Server Key")
        return b"v=" + base64.b64encode(self._hmac(server_key, text))

    def _hmac(self, key: bytes, message: bytes) -> bytes:
        return hmac.new(key, message, self._hash).digest()


def _fields(message: str) -> dict[str, str]:
    return {part[0]: part[2:] for part in message.split(",") if part[1:2] == "="}
