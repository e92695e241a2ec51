"""Where an address leads: out into the public network, or to what only we can reach."""

from __future__ import annotations

import ipaddress
from ipaddress import IPv4Address, IPv6Address

Address = IPv4Address | IPv6Address

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_PUBLIC_V6 = ipaddress.ip_network("2000::/3")
_V4 = {
    "0.0.0.0/8": "unspecified",  # to Linux 0.0.0.0 is this machine
    "10.0.0.0/8": "private",
    "100.64.0.0/10": "shared",  # behind a provider's NAT (RFC 6598); some clouds keep metadata here
    "127.0.0.0/8": "loopback",
    "169.254.0.0/16": "link-local",  # where clouds answer with credentials
    "172.16.0.0/12": "private",
    "192.0.0.0/24": "reserved",
    "192.0.2.0/24": "reserved",
    "192.88.99.0/24": "reserved",
    "192.168.0.0/16": "private",
    "198.18.0.0/15": "reserved",
    "198.51.100.0/24": "reserved",
    "203.0.113.0/24": "reserved",
    "224.0.0.0/4": "multicast",
    "240.0.0.0/4": "reserved",
}
_V6 = {
    "::1/128": "loopback",
    "::/128": "unspecified",
    "::ffff:0:0/96": "IPv4-mapped",  # no name has such an address in earnest: it is a way around checks of IPv4
    "64:ff9b:1::/48": "translated",
    "fc00::/7": "private",
    "fe80::/10": "link-local",
    "fec0::/10": "private",
    "ff00::/8": "multicast",
    "2001::/23": "reserved",  # Teredo, ORCHID and others that carry an address within the address
    "2001:db8::/32": "reserved",
    "2002::/16": "translated",
    "3fff::/20": "reserved",
}
_KINDS = [(ipaddress.ip_network(text), kind) for text, kind in (_V4 | _V6).items()]
NEAR = frozenset({"loopback", "private", "shared"})
"""Where something may be that an operator runs; the rest is nobody's, or a cloud's own."""


def address(text: str) -> Address | None:
    """The address that a text is, None when it is a name. The scope of a link is left out."""
    try:
        return ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None


def kind(where: Address) -> str:
    """`public`, or what an address is instead (RFC 6890 and the registries behind it)."""
    if isinstance(where, IPv6Address) and where in _NAT64:
        # In a network without IPv4 every older name has such an address; it leads where the one within leads (RFC 6052).
        return kind(IPv4Address(where.packed[12:]))
    for network, found in _KINDS:
        if where in network:
            return found
    return "public" if isinstance(where, IPv4Address) or where in _PUBLIC_V6 else "reserved"
