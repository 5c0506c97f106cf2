"""The server as a process: it ends with its parent, and can be stopped, killed and started again."""

import socket
from pathlib import Path

import pytest

from tests.couchbase_server.client import Client
from tests.couchbase_server.launch import BUCKET, PASSWORD, USER, Peer
from tests.couchbase_server.wire import Opcode

STORE = bytes(8)


def test_it_ends_when_its_standard_input_closes() -> None:
    peer = Peer()
    peer.start()
    assert peer.finish() == 0
    with pytest.raises(ConnectionRefusedError):
        Client(peer.ports["kv"][0])


def test_it_listens_on_the_loopback_only() -> None:
    with Peer() as peer:
        listening = _listeners(peer.pid)
        assert sorted(listening) == sorted(("0100007F", port) for ports in peer.ports.values() for port in ports)


def test_a_stopped_server_answers_when_it_goes_on() -> None:
    with Peer() as peer, Client(peer.ports["kv"][0]) as client:
        client.login(USER, PASSWORD, BUCKET)
        peer.stop()
        with pytest.raises(TimeoutError):
            client.impatient(Opcode.NOOP)
        peer.resume()
        assert client.receive().opcode == Opcode.NOOP


def test_a_killed_server_comes_back_on_its_ports_with_its_journal(tmp_path: Path) -> None:
    with Peer("--journal", str(tmp_path / "journal")) as peer:
        port = peer.ports["kv"][0]
        with Client(port) as client:
            client.login(USER, PASSWORD, BUCKET)
            cas = client.ask(Opcode.SET, b"kept", extras=STORE, value=b"\0v").cas
            client.ask(Opcode.SET, b"gone", extras=STORE, value=b"v")
            client.ask(Opcode.DELETE, b"gone")
            peer.kill()
            with pytest.raises((ConnectionResetError, BrokenPipeError)):
                client.ask(Opcode.NOOP)
        peer.start()
        assert peer.ports["kv"] == [port]
        with Client(port) as client:
            client.login(USER, PASSWORD, BUCKET)
            kept = client.ask(Opcode.GET, b"kept")
            assert (kept.value, kept.cas) == (b"\0v", cas)
            assert client.ask(Opcode.GET, b"gone").status == 0x01


def test_bytes_that_are_no_packet_end_the_connection_only() -> None:
    with Peer() as peer:
        with socket.create_connection(("127.0.0.1", peer.ports["kv"][0]), 5) as plain:
            plain.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert plain.recv(1) == b""
        with Client(peer.ports["kv"][0]) as client:
            assert client.hello() == ()


def _listeners(pid: int) -> list[tuple[str, int]]:
    """(address in hexadecimal, port) of the TCP sockets on which a process listens (proc(5))."""
    inodes = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        target = str(entry.readlink())
        if target.startswith("socket:["):
            inodes.add(target[8:-1])
    found = []
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[3] == "0A" and fields[9] in inodes:
            address, port = fields[1].split(":")
            found.append((address, int(port, 16)))
    return found
