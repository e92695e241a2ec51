"""One listening socket: the connections that it has, how many there may be, and how it stops."""

from __future__ import annotations

import asyncio
import logging
import resource
import socket
import ssl
from collections.abc import Callable, Coroutine
from typing import Any

from cambist.errors import Refusal
from cambist.settings import Listen

from ..draining import linger
from .entrance import Entrance
from .gate import Behind, Gate
from .wicket import Hot

log = logging.getLogger(__name__)

SWEEP = 0.25
"""Seconds between two looks at all deadlines; one timer for all costs less than one for each request."""
SPARE = 256
"""Files that are not for connections: stores, logs, libraries, calls to others."""
HANDSHAKE = 10.0


class Accepting:
    """A listener, with a server behind each of its gates; what is `hot` the gates answer themselves."""

    def __init__(self, listen: Listen, hot: Hot, speak: Callable[[Gate], Behind], turned_away: Callable[[Refusal], None]) -> None:
        self.listen, self.hot, self.turned_away = listen, hot, turned_away
        self.gates: set[Gate] = set()
        self._accepted: set[Gate] = set()  # also those that are still shaking hands
        self._arriving: set[asyncio.Task[None]] = set()
        self.parting = self.stopping = False
        self.speak = speak
        self._most = listen.limits.connections or _most()
        self._unread = 0
        self._left: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()
        self._empty = asyncio.Event()
        self._entrance: Entrance
        self._context: ssl.SSLContext | None

    @property
    def now(self) -> float:
        return self._loop.time()

    @property
    def full(self) -> bool:
        return len(self.gates) >= self._most

    def begin(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """A loop alone does not keep what it runs: whoever begins it does."""
        return self._loop.create_task(work)

    def keep(self, begun: asyncio.Task[None]) -> None:
        """Until it has ended: whoever began it is gone."""
        self._left.add(begun)
        begun.add_done_callback(self._left.discard)

    def hold(self, more: int) -> bool:
        """Account for bytes of unfinished requests; False when they are too many, over all connections."""
        self._unread += more
        return more <= 0 or self._unread <= self.listen.limits.unread

    def gone(self, gate: Gate) -> None:
        self.gates.discard(gate)
        self._accepted.discard(gate)
        self._entrance.turn.has(len(self._accepted))
        if not self._accepted:
            self._empty.set()

    async def until(self, stopped: asyncio.Event, entrance: Entrance, context: ssl.SSLContext | None = None) -> None:
        """Serve until `stopped` is set, then finish what was accepted."""
        self._entrance, self._context = entrance, context
        entrance.open(self._take)
        sweeping = asyncio.create_task(self._sweep())
        try:
            await stopped.wait()
            self.parting = True
            entrance.shut()
            await self._finish()
        finally:
            entrance.shut()
            sweeping.cancel()
            for task in self._arriving:
                task.cancel()
            for gate in list(self.gates):
                gate.transport.abort()
            await asyncio.sleep(0)

    def _take(self, sock: socket.socket) -> None:
        gate = Gate(self)
        self._accepted.add(gate)
        self._entrance.turn.has(len(self._accepted))
        task = self._loop.create_task(self._arrive(gate, sock))
        self._arriving.add(task)
        task.add_done_callback(self._arriving.discard)

    async def _arrive(self, gate: Gate, sock: socket.socket) -> None:
        patience = HANDSHAKE if self._context else None
        try:
            await self._loop.connect_accepted_socket(lambda: gate, sock, ssl=self._context, ssl_handshake_timeout=patience)
        except OSError as error:
            log.debug("a connection ended before it began: %s", error)
        finally:
            if gate not in self.gates:
                self.gone(gate)

    async def _finish(self) -> None:
        await linger(lambda: self._accepted, self.listen.graceful)
        self.stopping = True
        for gate in list(self.gates):
            gate.finish()
        self._empty.clear()
        if self._accepted:
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
