"""The outermost ASGI wrapper: what is too much is told so before anything is begun."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from ..errors import Overloaded, Refusal, TooManyRequests
from ..limits import Limits
from ..settings import REASONS
from ..wire.call import Call, Endpoint, Reply
from .asgi import Asgi, Receive, Scope, Send, answer, call_of, peer_of
from .buckets import Buckets
from .refused import refused

ALWAYS = "/health"
"""A process that is busy is alive: whoever watches over it must not restart it for being asked a lot."""
BEAT = 0.05
"""Seconds between two looks at the event loop."""
FEW = 8
"""With no more requests than these in progress, a late loop is a pause of the machine, and not a crowd."""


@dataclass(slots=True)
class Lag:
    """How late the event loop comes to what is due, measured while there are requests."""

    seconds: float = 0.0
    _asked: bool = field(default=False, init=False)
    _timer: asyncio.TimerHandle | None = field(default=None, init=False)

    def watch(self) -> None:
        self._asked = True
        if self._timer is None:
            self._beat(asyncio.get_running_loop())

    def _beat(self, loop: asyncio.AbstractEventLoop) -> None:
        self._asked = False
        self._timer = loop.call_later(BEAT, self._beaten, loop, loop.time() + BEAT)

    def _beaten(self, loop: asyncio.AbstractEventLoop, due: float) -> None:
        self.seconds = max(0.0, loop.time() - due)
        self._timer = None
        if self._asked or self.seconds > BEAT:
            self._beat(loop)


def unheard(refusal: Refusal) -> None:
    """Nobody counts what was turned away."""


class Limited:
    """Sheds early: an answer that would come too late is work for nothing."""

    def __init__(self, inner: Asgi, limits: Limits, page: str = REASONS, turned_away: Callable[[Refusal], None] = unheard) -> None:
        self.inner, self._limits, self._page, self._turned_away = inner, limits, page, turned_away
        self._addresses = Buckets(limits.address_rate or 0.0, limits.address_burst)
        self._in_progress = 0
        self._lag = Lag()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] == ALWAYS:
            return await self.inner(scope, receive, send)
        if (refusal := self._too_much(peer_of(scope))) is not None:
            call = call_of(scope, b"", None)
            return await answer(self._away(refusal, call), call, send)
        self._in_progress += 1
        try:
            return await self.inner(scope, receive, send)
        finally:
            self._in_progress -= 1

    def around(self, endpoint: Endpoint) -> Endpoint:
        """One endpoint that is called with the whole request, under the same limits."""

        async def limited(call: Call) -> Reply:
            if (refusal := self._too_much(call.peer)) is not None:
                return self._away(refusal, call)
            self._in_progress += 1
            try:
                return await endpoint(call)
            finally:
                self._in_progress -= 1

        return limited

    def _away(self, refusal: Refusal, call: Call) -> Reply:
        self._turned_away(refusal)
        return refused(refusal, call, self._page)

    def _too_much(self, peer: str) -> Refusal | None:
        self._lag.watch()
        late = self._lag.seconds > self._limits.lag and self._in_progress > FEW
        if late or self._in_progress >= self._limits.in_progress:
            return Overloaded()
        # The address is the peer's, or what a listed proxy says of it (`forwarded`): other headers, anybody can send (decision 29).
        wait = self._addresses.take(peer)
        return TooManyRequests(wait) if wait else None
