"""The sockets on which a service listens: the supervisor holds them, so that what waits in one outlives the worker that accepts from it."""

from __future__ import annotations

import errno
import socket
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from cambist import DidNotStart

Address = tuple[str, int]
"""Host and port as the settings say them."""
FOLLOWING = 1.0
"""Seconds in which the workers of a supervisor that was killed have let go of their port."""
BACKLOG = 2048
"""How many may wait in one socket; the system may allow fewer."""


@dataclass(slots=True)
class Sockets:
    """One socket for each worker and address, by address; the kernel spreads connections over them (SO_REUSEPORT)."""

    held: dict[Address, list[socket.socket]] = field(default_factory=dict)

    def hold(self, addresses: Iterable[Address], workers: int) -> None:
        """Bind what is not bound yet; what is there stays. Raises DidNotStart, and then nothing was bound."""
        more: dict[Address, list[socket.socket]] = {}
        try:
            for address in addresses:
                kept = self.held.get(address, [])
                more[address] = bound(address, workers - len(kept), kept)
        except OSError as error:
            for made in more.values():
                close(made)
            raise DidNotStart([f"listen: {address[0]}:{address[1]} cannot be listened on: {error.strerror or error}"]) from error
        for address, made in more.items():
            self.held.setdefault(address, []).extend(made)

    def of(self, worker: int, workers: int) -> Mapping[Address, Sequence[socket.socket]]:
        """Those of one worker. Where there were more workers once, their sockets are shared out: somebody may wait in them."""
        return {address: sockets[worker::workers] for address, sockets in self.held.items()}

    def listen(self, addresses: Iterable[Address]) -> None:
        for address in addresses:
            for one in self.held[address]:
                one.listen(BACKLOG)

    def renew(self, worker: int, workers: int) -> None:
        """Give up what waits for a worker that does not come back soon: who connects now is served by others."""
        for address, sockets in self.held.items():
            for place in range(worker, len(sockets), workers):
                given_up = sockets[place]
                sockets[place] = _socket(address, shared=True, port=_port(address, sockets))
                given_up.close()

    def drop(self, kept: Iterable[Address]) -> None:
        """Close those of every other address."""
        for address in set(self.held) - set(kept):
            close(self.held.pop(address))

    def close(self) -> None:
        self.drop(())

    def close_but(self, kept: Mapping[Address, Sequence[socket.socket]]) -> None:
        """In a worker: close what others accept from. A copy would keep a socket alive that nobody serves any more."""
        for address, sockets in self.held.items():
            close(one for one in sockets if one not in kept.get(address, ()))

    def port(self, address: Address) -> int:
        """The port that is bound, where the settings leave the choice to the system (0)."""
        return _port(address, self.held[address])


@contextmanager
def holding(addresses: Iterable[Address]) -> Iterator[Sockets]:
    """One socket for each address, for a service in one process. Raises DidNotStart."""
    sockets = Sockets()
    try:
        sockets.hold(addresses, 1)
        yield sockets
    finally:
        sockets.close()


def bound(address: Address, count: int, beside: Sequence[socket.socket] = ()) -> list[socket.socket]:
    """Sockets that share an address; the first must find it free, for others who share it would get our clients. Raises OSError."""
    made: list[socket.socket] = []
    try:
        if not beside:
            _find_free(address)
        while len(made) < count:
            made.append(_socket(address, shared=True, port=_port(address, [*beside, *made])))
    except OSError:
        close(made)
        raise
    return made


def _find_free(address: Address) -> None:
    """A service that listens already would share the port without a word: only a socket that does not share sees it.

    The workers of one that was killed a moment ago need a moment to follow it. Raises OSError.
    """
    last = time.monotonic() + FOLLOWING
    while True:
        try:
            return _socket(address, shared=False, port=address[1]).close()
        except OSError as error:
            if error.errno != errno.EADDRINUSE or time.monotonic() > last:
                raise
        time.sleep(0.02)


def close(sockets: Iterable[socket.socket]) -> None:
    for one in sockets:
        one.close()


def _port(address: Address, beside: Sequence[socket.socket]) -> int:
    return int(beside[0].getsockname()[1]) if beside else address[1]


def _socket(address: Address, *, shared: bool, port: int) -> socket.socket:
    # With its protocol named: else asyncio does not turn Nagle's algorithm off, and each answer waits 40 ms for the client's ACK.
    made = socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        made.setblocking(False)
        made.bind((address[0], port))
    except OSError:
        made.close()
        raise
    return made
