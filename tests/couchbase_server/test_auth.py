"""SASL: the exchanges printed in RFC 5802 and RFC 7677, and who is let in over the wire."""

import base64
import ssl
from pathlib import Path

import pytest

from tests.couchbase_server.auth import Denied, Scram, Users
from tests.couchbase_server.certificates import make_certificates
from tests.couchbase_server.client import Client
from tests.couchbase_server.launch import BUCKET, PASSWORD, USER, Peer
from tests.couchbase_server.wire import Opcode, Request

RFC_5802 = (
    "SCRAM-SHA1",
    "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
    "QSXCR+Q6sek8bf92",
    "3rfcNHYJY1ZVvWVs7j",
    "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
    "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
    "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
)
RFC_7677 = (
    "SCRAM-SHA256",
    "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
    "W22ZaJ0SNY7soEsUEjb6gQ==",
    "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
    "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
    "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
)


def _exchange(mechanism: str, salt: str, nonce: str, password: str = "pencil") -> Scram:
    return Scram(Users({"user": password}), mechanism, base64.b64decode(salt), nonce)


@pytest.mark.parametrize("example", [RFC_5802, RFC_7677], ids=["RFC 5802", "RFC 7677"])
def test_the_exchange_printed_in_the_rfc(example: tuple[str, ...]) -> None:
    mechanism, client_first, salt, nonce, server_first, client_final, server_final = example
    scram = _exchange(mechanism, salt, nonce)
    assert scram.first(client_first.encode()).decode() == server_first
    assert scram.final(client_final.encode()).decode() == server_final


def test_the_proof_of_another_password_is_denied() -> None:
    scram = _exchange(RFC_5802[0], RFC_5802[2], RFC_5802[3], password="pen")
    scram.first(RFC_5802[1].encode())
    with pytest.raises(Denied):
        scram.final(RFC_5802[5].encode())


@pytest.mark.parametrize("change", [("c=biws", "c=eSws"), ("r=fyko", "r=fykO")])
def test_another_channel_binding_or_nonce_is_denied(change: tuple[str, str]) -> None:
    scram = _exchange(RFC_5802[0], RFC_5802[2], RFC_5802[3])
    scram.first(RFC_5802[1].encode())
    with pytest.raises(Denied):
        scram.final(RFC_5802[5].replace(*change).encode())


def test_commas_and_equals_signs_in_names_are_escaped() -> None:
    scram = Scram(Users({"a,b=c": "x"}), "SCRAM-SHA1")
    assert scram.first(b"n,,n=a=2Cb=3Dc,r=abc").startswith(b"r=abc")


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA512", "SCRAM-SHA256", "SCRAM-SHA1"])
def test_scram_lets_in_who_knows_the_password_and_proves_itself(peer: Peer, mechanism: str) -> None:
    with Client(peer.ports["kv"][0]) as client:
        assert client.scram(mechanism, USER, PASSWORD).status == 0x00
        assert client.exchange(Request(Opcode.SELECT_BUCKET, key=BUCKET.encode())).status == 0x00


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA512", "SCRAM-SHA256", "SCRAM-SHA1"])
@pytest.mark.parametrize(("user", "password"), [(USER, "wrong"), ("nobody", PASSWORD)])
def test_scram_refuses_a_wrong_password_or_user(peer: Peer, mechanism: str, user: str, password: str) -> None:
    with Client(peer.ports["kv"][0]) as client:
        assert client.scram(mechanism, user, password).status == 0x20
        assert client.exchange(Request(Opcode.SELECT_BUCKET, key=BUCKET.encode())).status == 0x24


def test_a_step_without_a_start_is_invalid(peer: Peer) -> None:
    with Client(peer.ports["kv"][0]) as client:
        assert client.exchange(Request(Opcode.SASL_STEP, key=b"SCRAM-SHA1", value=b"c=biws,r=x,p=eA==")).status == 0x04


def test_plain_is_neither_listed_nor_taken_without_tls(peer: Peer) -> None:
    with Client(peer.ports["kv"][0]) as client:
        assert client.exchange(Request(Opcode.SASL_LIST)).value == b"SCRAM-SHA512 SCRAM-SHA256 SCRAM-SHA1"
        message = f"\0{USER}\0{PASSWORD}".encode()
        assert client.exchange(Request(Opcode.SASL_AUTH, key=b"PLAIN", value=message)).status == 0x20


def test_plain_is_taken_under_tls_by_a_client_that_trusts_the_authority(tmp_path: Path) -> None:
    made = make_certificates(tmp_path)
    context = ssl.create_default_context(cafile=str(made.ca))
    with Peer("--certificate", str(made.certificate), "--key", str(made.key)) as peer:
        with Client(peer.ports["kv_tls"][0], context) as client:
            assert b"PLAIN" in client.exchange(Request(Opcode.SASL_LIST)).value.split()
            wrong = Request(Opcode.SASL_AUTH, key=b"PLAIN", value=f"\0{USER}\0wrong".encode())
            assert client.exchange(wrong).status == 0x20
            right = Request(Opcode.SASL_AUTH, key=b"PLAIN", value=f"\0{USER}\0{PASSWORD}".encode())
            assert client.exchange(right).status == 0x00
        with pytest.raises(ssl.SSLCertVerificationError):
            Client(peer.ports["kv_tls"][0], ssl.create_default_context())
