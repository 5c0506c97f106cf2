"""Which address a request comes from, and what of it counts."""

import re
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final

UNKNOWN: Final = "unknown"
REMEMBERED: Final = 8192
LONGEST: Final = 64
"""Characters of an address with a port, and then some; what is longer is none."""

_NAT64: Final = IPv6Network("64:ff9b::/96")
_WITH_PORT: Final = re.compile(r"(?:\[([0-9A-Fa-f:.%\w]+)\]|([0-9.]+))(?::[0-9]{1,5})?", re.ASCII)


def client_address(peer: str, forwarded_for: str | None, hops: int) -> str:
    """The client's IP address in its usual form; what is no IP address (a Unix socket's name) as it is, or `unknown`.

    peer: whom the connection is from. forwarded_for: X-Forwarded-For as that peer sent it; it is believed as far as
    `hops` proxies wrote it: the client is the address that stands in the hops-th place from its end. If there are
    fewer, or what stands there is no address (quoted, hidden, made up), the request counts for the peer.
    """
    if hops and forwarded_for:
        places = forwarded_for.rsplit(",", hops)
        if len(places) >= hops and (address := _address(places[-hops].strip(" \t"))):
            return address
    return _address(peer) or peer[:LONGEST] or UNKNOWN


def counted(address: str) -> str:
    """What limits count by: an IPv4 address; of IPv6 the first 64 bits, since a customer has all the addresses below.

    What is no IP address counts as it is.
    """
    return _counted(address) if len(address) <= LONGEST else address[:LONGEST]


def _address(text: str) -> str | None:
    """An address without port, brackets and zone, whatever its notation; None if it is none."""
    return _parsed(text) if len(text) <= LONGEST else None


@lru_cache(REMEMBERED)
def _parsed(text: str) -> str | None:
    match = _WITH_PORT.fullmatch(text)
    try:
        address = ip_address((match[1] or match[2]) if match else text)
    except ValueError:
        return None
    if match and match[1] and address.version == 4:
        return None
    return str(_embedded(address))


def _embedded(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address that an IPv6 address stands for: mapped, or translated by NAT64 (RFC 6052)."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or IPv6Address(int(address))


@lru_cache(REMEMBERED)
def _counted(address: str) -> str:
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv4Address):
        return address
    return str(IPv6Network((int(parsed), 64), strict=False))
