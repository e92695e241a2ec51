"""What stands between a socket and the server that speaks HTTP over it: framing, deadlines and bounds, the same for every server."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Coroutine
from typing import Any, Protocol, cast

from cambist.errors import Malformed, NotArrived, Overloaded, Refusal, Unavailable
from cambist.settings import Listen

from .answer import answer
from .framing import Framing, Part, Request
from .outlet import Outlet
from .wicket import Asked, Hot, Wicket

log = logging.getLogger(__name__)

LINGER = 1.0
"""Seconds that a client gets to read a last answer before the connection is torn down: a reset would take the answer with it."""

MOST_THROWN = 2_097_152
"""Bytes that are read after the last answer, within that time."""


class Behind(Protocol):
    """What a server brings for one connection: it is given one whole request at a time, and says `gate.answered()` after each."""

    def connection_made(self, transport: asyncio.Transport) -> None: ...
    def data_received(self, data: bytes) -> None: ...
    def connection_lost(self, exc: Exception | None) -> None: ...
    def pause_writing(self) -> None: ...
    def resume_writing(self) -> None: ...


class Place(Protocol):
    """The listener that a gate belongs to."""

    listen: Listen
    hot: Hot
    gates: set[Gate]
    parting: bool
    stopping: bool
    turned_away: Callable[[Refusal], None]

    @property
    def now(self) -> float: ...
    @property
    def full(self) -> bool: ...
    def speak(self, gate: Gate) -> Behind: ...
    def begin(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]: ...
    def keep(self, begun: asyncio.Task[None]) -> None: ...
    def hold(self, more: int) -> bool: ...
    def gone(self, gate: Gate) -> None: ...


class Gate(asyncio.Protocol):
    """One connection. Whoever is behind sees whole, sound requests, the next one only when the last is answered."""

    def __init__(self, place: Place) -> None:
        self._place, self._limits = place, place.listen.limits
        self._framing = Framing(self._limits, place.listen.max_body)
        self._wicket = Wicket(place.hot)
        self._behind: Behind | None = None
        self._kept = self._requests = self._thrown = 0
        self._busy = self._blocked = self.shut = False
        self._held: bytes | None = None
        self._begun: asyncio.Task[None] | None = None
        self.transport: asyncio.Transport
        self.deadline = math.inf

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's are not asyncio's by class
        # Every byte that waits for a reader is told to `pause_writing`. With high=0 TLS writers never begin: there 0 bytes are too many.
        self.transport.set_write_buffer_limits(high=1, low=0)
        self._wicket.peer = (transport.get_extra_info("peername") or ("",))[0]
        full = self._place.full
        self._place.gates.add(self)
        self._wait()
        if full:
            self._refuse(Overloaded())

    def data_received(self, data: bytes) -> None:
        if self.shut:
            self._throw_away(len(data))
            return
        was = self._framing.part
        self._framing.receive(data)
        if not self._busy:
            self._pump(was)

    def eof_received(self) -> bool:
        """The client sends no more. What it asked for is answered; what it did not finish never happened, and who has all may go."""
        return self._busy and not self.shut and self.transport.can_write_eof()  # TLS has no half

    def connection_lost(self, exc: Exception | None) -> None:
        self.shut = True
        self.deadline = math.inf
        self._place.hold(-self._kept)
        self._place.gone(self)
        if self._begun is not None:
            self._place.keep(self._begun)
        if self._behind is not None:
            self._behind.connection_lost(exc)

    def pause_writing(self) -> None:
        self.deadline = self._place.now + self._limits.write_timeout
        self._blocked = True
        if self._behind is not None:
            self._behind.pause_writing()

    def resume_writing(self) -> None:
        self._blocked = False
        self._wait()
        if self._behind is not None:
            self._behind.resume_writing()

    def answered(self) -> None:
        """From behind: the answer is written, and the connection may go on."""
        self._say()
        self._busy = False
        if self._place.stopping and self._framing.part is Part.NOTHING:
            self.close()
        if not self.shut:
            self._pump(None)
            if not self._busy and not self.shut:
                self.transport.resume_reading()

    def said(self, data: bytes) -> None:
        """From behind: part of an answer. The first, its head, waits for what follows it: a write costs more than to read the request."""
        if self._held is None:
            self._held = data
        elif not self.shut:
            held, self._held = self._held, b""
            self.transport.write(held + data)

    def close(self) -> None:
        """Say that no more comes, and let the client read what was said."""
        if self.shut:
            return
        self._say()
        self.shut = True
        self._wait()
        if self.transport.is_closing():
            return
        if self.transport.can_write_eof():
            self.transport.write_eof()
            self.transport.resume_reading()
        else:
            self.transport.close()

    def finish(self) -> None:
        """The service stops: what was accepted is answered, what has not begun is not waited for."""
        if not self._busy and self._framing.part is Part.NOTHING:
            self.close()

    def overdue(self) -> None:
        """The deadline has passed."""
        self.deadline = math.inf
        if self.shut or self._busy or self._blocked:
            self.transport.abort()
        elif self._framing.part is Part.NOTHING:
            self.close()
        else:
            self._refuse(NotArrived())

    def _throw_away(self, count: int) -> None:
        """What still comes is read, so that it does not reset the connection before the answer is read; but not for ever."""
        self._thrown += count
        if self._thrown > MOST_THROWN:
            self.transport.abort()

    def _say(self) -> None:
        """What is held of an answer is all of it, or all that will come."""
        held, self._held = self._held, None
        if held and not self.shut:
            self.transport.write(held)

    def _pump(self, was: Part | None) -> None:
        """Hand on a request that is whole; else wait for what is missing, unless that `was` waited for already."""
        last = self._place.parting or self._requests + 1 >= self._limits.requests_per_connection
        try:
            request = self._framing.next(last=last)
        except Malformed as refusal:
            self._refuse(refusal)
            return
        kept, self._kept = self._kept, len(self._framing)
        if not self._place.hold(self._kept - kept):
            self._refuse(Overloaded())
        elif request is not None:
            self._hand_on(request)
        elif self._framing.part is not was:
            self._wait()
            if self._framing.waits:
                self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _hand_on(self, request: Request) -> None:
        self._busy = True
        self._requests += 1
        self.transport.pause_reading()
        self._wait()
        # A client that does not read waits at the server, which knows how to wait for it.
        if not self._blocked and (asked := self._wicket.asked(request.head)) is not None:
            self._begun = self._place.begin(self._answer(asked, request))
            return
        if self._behind is None:
            self._behind = self._place.speak(self)
            self._behind.connection_made(Outlet(self))
        self._behind.data_received(request.handed())

    async def _answer(self, asked: Asked, request: Request) -> None:
        """In place of whoever is behind, and whether or not the client hangs up meanwhile: what was begun is finished and recorded."""
        closes = request.last or request.head.closes
        try:
            said = await asked.answered(request.body, closes=closes)
        except Exception:
            log.exception("an answer could not be written")
            self.transport.abort()
            return
        if not self.shut:
            self.transport.write(said)
        if closes:
            self.close()
        else:
            self.answered()

    def _wait(self) -> None:
        """For what comes next, until its own deadline. That of a client who does not read stands, whatever else it does."""
        if not self._blocked:
            self.deadline = self._place.now + self._patience()

    def _patience(self) -> float:
        if self.shut:
            return LINGER
        if self._busy:
            return self._limits.answer_timeout
        part = self._framing.part
        if part is Part.NOTHING:
            return self._limits.keep_alive
        return self._limits.head_timeout if part is Part.HEAD else self._place.listen.body_timeout

    def _refuse(self, refusal: Malformed | Unavailable) -> None:
        """Answer instead of whoever is behind, who has not heard of this request; and close, for what follows has no sure beginning."""
        self._place.turned_away(refusal)
        self.transport.write(answer(refusal, self._framing.seen))
        self.close()
