"""Whose request it is where proxies stand in front: the address that the outermost of them saw.

Anybody can send such a header. So it is believed only from a peer that the operator listed, and read from its end: what stands before the
first address that is none of our proxies', a stranger may have written.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network

from ..address import Address, address
from ..listen import Listen
from ..value import replace
from ..wire.call import Call, Endpoint, Reply
from .asgi import Asgi, Receive, Scope, Send, peer_of

MOST = 16
"""Hops that are looked at; no request comes through more proxies of one operator."""

_VALUE = r'(?:"(?:[^"\\]|\\.)*"|[^\s",;=]+)'
_NAME = r"[\w!#$%&'*+.^`|~-]+"
_PAIR = rf"{_NAME}={_VALUE}"
_ELEMENT = rf"{_PAIR}(?:[ \t]*;[ \t]*{_PAIR})*"
_LIST = re.compile(rf"{_ELEMENT}(?:[ \t]*,[ \t]*{_ELEMENT})*", re.ASCII)
_ELEMENTS = re.compile(_ELEMENT, re.ASCII)
_PAIRS = re.compile(rf"({_NAME})=({_VALUE})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Forwarded:
    """An ASGI application whose `inner` sees the client where a server sees only the nearest proxy."""

    inner: Asgi
    listen: Listen

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers = ((name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"])
            scope = {**scope, "client": (self._sender(peer_of(scope), headers), 0)}
        await self.inner(scope, receive, send)

    def around(self, endpoint: Endpoint) -> Endpoint:
        """The same for one endpoint that is called with the whole request."""

        async def sent(call: Call) -> Reply:
            return await endpoint(replace(call, peer=self._sender(call.peer, call.headers)))

        return sent

    def _sender(self, peer: str, headers: Iterable[tuple[str, str]]) -> str:
        said = ", ".join(value for name, value in headers if name == self.listen.forwarded_for)
        read = forwarded if self.listen.forwarded_for == "forwarded" else x_forwarded_for
        return sender(peer, read(said), self.listen.proxies)


def sender(peer: str, hops: Sequence[str], proxies: Iterable[IPv4Network | IPv6Network]) -> str:
    """The last address before our proxies. Where a hop names none, it is the proxy that said so: its word is all there is."""
    found = _address(peer)
    if found is None:
        return peer
    for hop in reversed(hops[-MOST:]):
        if not any(found in network for network in proxies) or (before := _hop(hop)) is None:
            break
        found = before
    return str(found)


def x_forwarded_for(said: str) -> Sequence[str]:
    """The hops, as the list has them."""
    return said.rsplit(",", MOST)


def forwarded(said: str) -> Sequence[str]:
    """The same of RFC 7239. Nothing is taken from a list that does not read as one: a stray quotation mark could hide its end."""
    if not _LIST.fullmatch(said):
        return ()
    return [_node(element) for element in _ELEMENTS.findall(said)]


def _node(element: str) -> str:
    """Who sent it to the proxy that wrote this element; nothing where that is not said, or twice."""
    nodes = [value for name, value in _PAIRS.findall(element) if name.lower() == "for"]
    return re.sub(r"\\(.)", r"\1", nodes[0].strip('"')) if len(nodes) == 1 else ""


def _hop(text: str) -> Address | None:
    """An address with or without port; `unknown` and names that hide an address are none (RFC 7239 section 6)."""
    host = text.strip()
    if host.startswith("["):
        host = host[1:].partition("]")[0]
    elif host.count(":") == 1:
        host = host.partition(":")[0]
    return _address(host)


def _address(text: str) -> Address | None:
    """IPv4 as IPv4, also where a socket for both shows it in IPv6."""
    found = address(text)
    return getattr(found, "ipv4_mapped", None) or found
