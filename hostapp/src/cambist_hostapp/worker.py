"""One worker: opens the service, says so, and serves until it is told to stop."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cambist import DidNotStart, Settings, Sts, Unavailable
from cambist.clock import Clock
from cambist.keys import EphemeralKeys
from cambist.plugins import Finder
from cambist.settings import Listen
from cambist.store import MemoryStore
from cambist.web.metrics import Metrics
from cambist.web.tally import Tallies

from .board import Board, State
from .listeners import listeners, mounted, opened, serve_on, server
from .sockets import Address
from .tether import Tether


@dataclass(frozen=True, kw_only=True)
class Given:
    """What a test may put in the place of the real thing."""

    clock: Clock = time.time
    finder: Finder | None = None


@dataclass(frozen=True, kw_only=True)
class Post:
    """Where a worker stands: which one of how many, in which generation, over which sockets."""

    settings: Settings
    generation: int
    worker: int
    sockets: Mapping[Address, Sequence[socket.socket]]
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


def run(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """On uvloop, whichever server it is: under Hypercorn, too, a request costs a sixth less than on asyncio's own loop."""
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())


async def serve(post: Post, tether: Tether) -> None:
    """Raises DidNotStart."""
    tether.watch()
    metrics = Metrics(post.tallies, post.row)
    async with Sts(post.settings, clock=post.given.clock, finder=post.given.finder, observers=(metrics,)) as sts:
        await opened(sts)
        sts.kept += [(f"worker {worker + 1}", Peer(post.board, post.generation, worker)) for worker in range(post.listen.workers)]
        apps = mounted(sts, metrics)
        for listener in apps:
            server(post.listen, listener.tls)
        tether.say(open=True)
        if await tether.may_serve():
            await serve_on(apps, post.sockets, post.listen, tether.stopped)


async def check(settings: Settings, given: Given) -> None:
    """Open the service once before any worker does, so that files and their schema are there. Raises DidNotStart."""
    listen = settings.service.listen
    for listener in listeners(listen):
        server(listen, listener.tls)
    async with Sts(settings, clock=given.clock, finder=given.finder) as sts:
        await opened(sts)
        if problems := _alone(sts, listen.workers):
            raise DidNotStart(problems)


def _alone(sts: Sts, workers: int) -> list[str]:
    """What several workers would each have of their own: a mark made in one is unknown to the others (H15)."""
    if workers == 1:
        return []
    kept: list[tuple[str, object, type]] = [("store", sts.store, MemoryStore), ("keys", sts.keys, EphemeralKeys)]
    return [
        f"listen.workers: {workers} workers cannot share {name} in memory; enable a plugin for `{name}`, or serve with one worker"
        for name, thing, kind in kept
        if isinstance(thing, kind)
    ]
