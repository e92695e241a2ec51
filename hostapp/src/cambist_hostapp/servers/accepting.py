"""One listening socket: the connections that it has, how many there may be, and how it stops."""

from __future__ import annotations

import asyncio
import resource
import socket
import ssl
from collections.abc import Callable, Coroutine
from typing import Any

from cambist.errors import Refusal
from cambist.settings import Listen

from ..draining import PAUSE, linger
from .gate import Behind, Gate
from .wicket import Hot

SWEEP = 0.25
"""Seconds between two looks at all deadlines; one timer for all costs less than one for each request."""
SPARE = 256
"""Files that are not for connections: stores, logs, libraries, calls to others."""
HANDSHAKE = 10.0
BACKLOG = 1024


class Accepting:
    """A listener, with a server behind each of its gates; what is `hot` the gates answer themselves."""

    def __init__(self, listen: Listen, hot: Hot, speak: Callable[[Gate], Behind], turned_away: Callable[[Refusal], None]) -> None:
        self.listen, self.hot, self.turned_away = listen, hot, turned_away
        self.gates: set[Gate] = set()
        self.parting = self.stopping = False
        self.speak = speak
        self._most = listen.limits.connections or _most()
        self._unread = 0
        self._begun: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()
        self._empty = asyncio.Event()

    @property
    def now(self) -> float:
        return self._loop.time()

    @property
    def full(self) -> bool:
        return len(self.gates) >= self._most

    def begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._begun.add(task)  # a loop alone does not keep what it runs
        task.add_done_callback(self._begun.discard)

    def hold(self, more: int) -> bool:
        """Account for bytes of unfinished requests; False when they are too many, over all connections."""
        self._unread += more
        return more <= 0 or self._unread <= self.listen.limits.unread

    def gone(self, gate: Gate) -> None:
        self.gates.discard(gate)
        if not self.gates:
            self._empty.set()

    async def until(self, stopped: asyncio.Event, sock: socket.socket, context: ssl.SSLContext | None = None) -> None:
        """Serve until `stopped` is set, then finish what was accepted."""
        patience = HANDSHAKE if context else None
        # A copy, for the server closes what it was given; whoever holds the socket still has those who wait in it.
        server = await self._loop.create_server(
            lambda: Gate(self), sock=sock.dup(), backlog=BACKLOG, ssl=context, ssl_handshake_timeout=patience
        )
        sweeping = asyncio.create_task(self._sweep())
        try:
            await stopped.wait()
            await self._shut(server)
            await self._finish()
        finally:
            server.close()
            sweeping.cancel()
            for gate in list(self.gates):
                gate.transport.abort()
            await asyncio.sleep(0)

    async def _shut(self, server: asyncio.Server) -> None:
        """Accept nothing more. asyncio drops a connection that it has accepted but not handed on when its server closes: first it rests."""
        self.parting = True
        for listening in server.sockets:
            self._loop.remove_reader(listening.fileno())
        await asyncio.sleep(PAUSE)
        server.close()

    async def _finish(self) -> None:
        await linger(lambda: self.gates, self.listen.graceful)
        self.stopping = True
        for gate in list(self.gates):
            gate.finish()
        self._empty.clear()
        if self.gates:
            try:
                async with asyncio.timeout(self.listen.graceful):
                    await self._empty.wait()
            except TimeoutError:
                return

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP)
            now = self.now
            for gate in [gate for gate in self.gates if gate.deadline < now]:
                gate.overdue()


def _most() -> int:
    """As many connections as this process may open files, which it is made to use."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return max(SPARE, hard - SPARE) if hard != resource.RLIM_INFINITY else 1 << 20
