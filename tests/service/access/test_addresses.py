"""Client addresses: one client, one address, however it is written."""

import pytest

from service.access.addresses import LONGEST, UNKNOWN, client_address, counted

PEER = "198.51.100.9"


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("192.0.2.1:5000", "192.0.2.1"),
        (" \t192.0.2.1 ", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("::FFFF:C000:0201", "192.0.2.1"),
        ("[::ffff:192.0.2.1]:443", "192.0.2.1"),
        ("64:ff9b::192.0.2.1", "192.0.2.1"),
        ("2001:DB8:0:0:0:0:0:1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
    ],
)
def test_one_form(written: str, address: str) -> None:
    assert client_address(PEER, written, 1) == address
    assert client_address(written.strip(), None, 0) == address


@pytest.mark.parametrize(
    "written",
    [
        "",
        " ",
        "unknown",
        "_hidden",
        '"192.0.2.1"',
        "for=192.0.2.1",
        '192.0.2.1", "key": "x',
        "192.0.2.1\0",
        "192.0.2.01",
        "192.0.2",
        "3221225985",
        "192.0.2.1:port",
        "[192.0.2.1]",
        "[2001:db8::1",
        "2001:db8::1]:80",
        "2001:db8::1::2",
        "192.0.2.1/24",
        "١٩٢.0.2.1",
        "1" * 100_000,
    ],
)
def test_what_is_no_address_counts_for_the_peer(written: str) -> None:
    assert client_address(PEER, written, 1) == PEER
    assert client_address(PEER, f"192.0.2.7, {written}", 1) == PEER


@pytest.mark.parametrize(
    ("forwarded", "hops", "address"),
    [
        (None, 1, PEER),
        ("192.0.2.1", 0, PEER),
        ("192.0.2.1", 2, PEER),
        ("192.0.2.1, 192.0.2.2", 1, "192.0.2.2"),
        ("192.0.2.1,192.0.2.2", 2, "192.0.2.1"),
        ("192.0.2.9, 192.0.2.1, 192.0.2.2", 2, "192.0.2.1"),
        (",,,192.0.2.1", 1, "192.0.2.1"),
    ],
)
def test_no_more_is_believed_than_the_proxies_wrote(forwarded: str | None, hops: int, address: str) -> None:
    assert client_address(PEER, forwarded, hops) == address


@pytest.mark.parametrize(
    ("peer", "address"), [("", UNKNOWN), ("unix:/run/x", "unix:/run/x"), ("x" * 999, "x" * LONGEST)]
)
def test_a_peer_without_address(peer: str, address: str) -> None:
    assert client_address(peer, None, 0) == address
    assert counted(peer or UNKNOWN) == address


def test_an_ipv6_customer_counts_once() -> None:
    assert counted("2001:db8:1:2:3:4:5:6") == counted("2001:db8:1:2::1") == "2001:db8:1:2::/64"
    assert counted("2001:db8:1:3::1") != counted("2001:db8:1:2::1")
    assert counted("192.0.2.1") == "192.0.2.1"
