"""What stands between a socket and the server that speaks HTTP over it: framing, deadlines and bounds, the same for every server."""

from __future__ import annotations

import asyncio
import math
import uuid
from collections.abc import Callable
from email.utils import formatdate
from http import HTTPStatus
from typing import Any, Protocol, cast

from cambist.errors import Malformed, NotArrived, Overloaded, Refusal, Unavailable
from cambist.settings import Listen
from cambist.web.asgi import headers_of
from cambist.web.refused import refused
from cambist.wire.call import Call

from .framing import Framing, Part
from .head import path_of

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
    gates: set[Gate]
    parting: bool
    stopping: bool
    turned_away: Callable[[Refusal], None]

    @property
    def now(self) -> float: ...
    @property
    def full(self) -> bool: ...
    def speak(self, gate: Gate) -> Behind: ...
    def hold(self, more: int) -> bool: ...
    def gone(self, gate: Gate) -> None: ...


class Gate(asyncio.Protocol):
    """One connection. Whoever is behind sees whole, sound requests, the next one only when the last is answered."""

    def __init__(self, place: Place) -> None:
        self._place, self._limits = place, place.listen.limits
        self._framing = Framing(self._limits, place.listen.max_body)
        self._behind: Behind | None = None
        self._kept = self._requests = self._thrown = 0
        self._busy = self._blocked = self.shut = False
        self.transport: asyncio.Transport
        self.deadline = math.inf

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's are not asyncio's by class
        # Every byte that waits for a reader is told to `pause_writing`. With high=0 TLS writers never begin: there 0 bytes are too many.
        self.transport.set_write_buffer_limits(high=1, low=0)
        full = self._place.full
        self._place.gates.add(self)
        self._wait(self._limits.keep_alive)
        if full:
            self._refuse(Overloaded())

    def data_received(self, data: bytes) -> None:
        if self.shut:
            self._throw_away(len(data))
            return
        if self._framing.part is Part.NOTHING and not self._busy:
            self._wait(self._limits.head_timeout)
        self._framing.receive(data)
        if not self._busy:
            self._pump()

    def eof_received(self) -> bool:
        """The client sends no more. What it asked for is answered; what it did not finish never happened."""
        return self._busy and self.transport.can_write_eof()  # TLS has no half

    def connection_lost(self, exc: Exception | None) -> None:
        self.shut = True
        self.deadline = math.inf
        self._place.hold(-self._kept)
        self._place.gone(self)
        if self._behind is not None:
            self._behind.connection_lost(exc)

    def pause_writing(self) -> None:
        self._blocked = True
        self._wait(self._limits.write_timeout)
        if self._behind is not None:
            self._behind.pause_writing()

    def resume_writing(self) -> None:
        self._blocked = False
        self._wait(LINGER if self.shut else self._limits.answer_timeout if self._busy else self._limits.keep_alive)
        if self._behind is not None:
            self._behind.resume_writing()

    def answered(self) -> None:
        """From behind: the answer is written, and the connection may go on."""
        self._busy = False
        if self._place.stopping and self._framing.part is Part.NOTHING:
            self.close()
        if not self.shut:
            if not self._blocked:
                self._wait(self._limits.keep_alive if self._framing.part is Part.NOTHING else self._limits.head_timeout)
            self._pump()
            if not self._busy and not self.shut:
                self.transport.resume_reading()

    def said(self, data: bytes) -> None:
        """From behind: part of an answer."""
        if not self.shut:
            self.transport.write(data)

    def close(self) -> None:
        """Say that no more comes, and let the client read what was said."""
        if self.shut:
            return
        self.shut = True
        self._wait(self._limits.write_timeout if self._blocked else LINGER)
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

    def _pump(self) -> None:
        last = self._place.parting or self._requests + 1 >= self._limits.requests_per_connection
        was = self._framing.part
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
        elif self._framing.part is Part.BODY and was is not Part.BODY:
            self._await_body()

    def _hand_on(self, request: bytes) -> None:
        self._busy = True
        self._requests += 1
        self.transport.pause_reading()
        self._wait(self._limits.answer_timeout)
        if self._behind is None:
            self._behind = self._place.speak(self)
            self._behind.connection_made(Outlet(self))
        self._behind.data_received(request)

    def _await_body(self) -> None:
        self._wait(self._place.listen.body_timeout)
        if self._framing.waits:
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _wait(self, seconds: float) -> None:
        self.deadline = self._place.now + seconds

    def _refuse(self, refusal: Malformed | Unavailable) -> None:
        """Answer instead of whoever is behind, who has not heard of this request; and close, for what follows has no sure beginning."""
        self._place.turned_away(refusal)
        self.transport.write(answer(refusal, self._framing.seen))
        self.close()


def answer(refusal: Refusal, seen: bytes) -> bytes:
    """A refusal as bytes, in the shape of the endpoint that was asked."""
    call = Call(method="", path=path_of(seen), request_id=str(uuid.uuid4()))
    reply = refused(refusal, call)
    own = (("content-length", str(len(reply.body))), ("connection", "close"), ("date", formatdate(usegmt=True)))
    head = "".join(f"{name}: {value}\r\n" for name, value in (*headers_of(reply, call), *own))
    start = f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}\r\n"
    return f"{start}{head}\r\n".encode("latin-1") + (b"" if seen.startswith(b"HEAD ") else reply.body)


class Outlet(asyncio.Transport):
    """The connection as the server behind sees it: it may answer and close, but reads nothing by itself."""

    def __init__(self, gate: Gate) -> None:
        super().__init__()
        self._gate = gate
        self.get_extra_info: Callable[..., Any] = gate.transport.get_extra_info

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._gate.said(bytes(data))

    def close(self) -> None:
        self._gate.close()

    def abort(self) -> None:
        self._gate.transport.abort()

    def is_closing(self) -> bool:
        return self._gate.shut

    def pause_reading(self) -> None:
        """The gate decides when is read."""

    def resume_reading(self) -> None:
        """The gate decides when is read."""
