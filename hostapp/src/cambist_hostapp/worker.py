"""One worker: opens the service, says so, and serves until it is told to stop."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass

from cambist import Settings, Sts, Unavailable
from cambist.settings import Listen
from cambist.web.metrics import Metrics
from cambist.web.tally import Tallies

from .board import Board, State
from .decisions import deciding
from .listeners import mounted, opened, serve_on, server
from .opening import Given, settled
from .servers.entrance import Entrance
from .sockets import Address
from .tether import Tether


@dataclass(frozen=True, kw_only=True)
class Post:
    """Where a worker stands: which one of how many, in which generation, over which sockets."""

    settings: Settings
    generation: int
    worker: int
    sockets: Mapping[Address, socket.socket]
    board: Board
    tallies: Tallies
    given: Given

    @property
    def listen(self) -> Listen:
        return self.settings.service.listen

    @property
    def row(self) -> int:
        """Its row of tallies, which it takes over from the one that stood here before."""
        return self.worker * 2 + self.generation % 2

    def entrances(self) -> Mapping[Address, Entrance]:
        return {
            address: Entrance(sock, self.board.turn(self.generation, port, self.worker))
            for port, (address, sock) in enumerate(self.sockets.items())
        }


@dataclass(frozen=True, slots=True)
class Peer:
    """A worker as all of its generation see it, so that one who is asked whether the service is ready speaks for all."""

    board: Board
    generation: int
    worker: int

    async def ping(self) -> None:
        state = self.board.states(self.generation)[self.worker]
        if state is not State.OPEN:
            raise Unavailable(what="a worker", cause=state.name.lower())


async def serve(post: Post, tether: Tether) -> None:
    """Raises DidNotStart."""
    tether.watch()
    metrics = Metrics(post.tallies, post.row)
    given = post.given
    async with (
        deciding(post.settings) as logged,
        Sts(post.settings, clock=given.clock, finder=given.finder, observers=(metrics, *logged), tried=True) as sts,
    ):
        await opened(sts)
        sts.kept += [(f"worker {worker + 1}", Peer(post.board, post.generation, worker)) for worker in range(post.listen.workers)]
        fronts = mounted(sts, metrics)
        for listener in fronts:
            server(post.listen, listener.tls)
        settled()
        tether.say(open=True)
        if await tether.may_serve():
            await serve_on(fronts, post.entrances(), post.listen, tether.stopped, metrics.turned_away)
