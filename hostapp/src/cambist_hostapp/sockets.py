"""The sockets on which a service listens: the supervisor holds them, so that who waits in one outlives the workers that accept from it."""

from __future__ import annotations

import errno
import socket
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from cambist import DidNotStart

from .servers.entrance import Entrance

Address = tuple[str, int]
"""Host and port as the settings say them."""
FOLLOWING = 1.0
"""Seconds in which the workers of a supervisor that was killed have let go of their port."""
BACKLOG = 2048
"""How many may wait in one socket; the system may allow fewer."""


@dataclass(slots=True)
class Sockets:
    """One for each address, from which all workers accept: who waits in it waits for whichever of them is there."""

    held: dict[Address, socket.socket] = field(default_factory=dict)

    def hold(self, addresses: Iterable[Address]) -> None:
        """Bind what is not bound yet; what is there stays. Raises DidNotStart, and then nothing was bound."""
        more: dict[Address, socket.socket] = {}
        for address in addresses:
            if address not in self.held:
                try:
                    more[address] = bound(address)
                except OSError as error:
                    _close(more.values())
                    raise _taken(address, error) from error
        self.held |= more

    def of(self, addresses: Iterable[Address]) -> Mapping[Address, socket.socket]:
        return {address: self.held[address] for address in addresses}

    def listen(self, addresses: Iterable[Address]) -> None:
        """Let clients come. Raises DidNotStart where somebody else listens by now: to be bound keeps nobody away."""
        for address in addresses:
            try:
                self.held[address].listen(BACKLOG)
            except OSError as error:
                raise _taken(address, error) from error

    def drop(self, kept: Iterable[Address]) -> None:
        """Close those of every other address. In a worker: a copy would keep a port that nobody serves any more."""
        for address in set(self.held) - set(kept):
            self.held.pop(address).close()

    def close(self) -> None:
        self.drop(())

    def port(self, address: Address) -> int:
        """The port that is bound, where the settings leave the choice to the system (0)."""
        return int(self.held[address].getsockname()[1])


@contextmanager
def holding(addresses: Iterable[Address]) -> Iterator[Mapping[Address, Entrance]]:
    """Listening on each address, for a service in one process. Raises DidNotStart."""
    sockets, wanted = Sockets(), list(addresses)
    try:
        sockets.hold(wanted)
        sockets.listen(wanted)
        yield {address: Entrance(sock) for address, sock in sockets.held.items()}
    finally:
        sockets.close()


def bound(address: Address) -> socket.socket:
    """The workers of a supervisor that was killed a moment ago need a moment to follow it. Raises OSError."""
    last = time.monotonic() + FOLLOWING
    while True:
        try:
            return _socket(address)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or time.monotonic() > last:
                raise
        time.sleep(0.02)


def _socket(address: Address) -> socket.socket:
    # With its protocol named: else asyncio does not turn Nagle's algorithm off, and each answer waits 40 ms for the client's ACK.
    made = socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        # Connections that an old worker still finishes do not stand in the way; who listens does.
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.setblocking(False)
        made.bind(address)
    except OSError:
        made.close()
        raise
    return made


def _close(sockets: Iterable[socket.socket]) -> None:
    for one in sockets:
        one.close()


def _taken(address: Address, error: OSError) -> DidNotStart:
    return DidNotStart([f"listen: {address[0]}:{address[1]} cannot be listened on: {error.strerror or error}"])
