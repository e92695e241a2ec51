"""One connection at its gate, without a server or a socket: what is heard and said, and a clock to move."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from typing import Any

from cambist.errors import Refusal
from cambist.limits import Limits
from cambist.settings import Listen
from cambist.wire.call import Endpoint
from cambist_hostapp.servers.gate import Behind, Gate

PEER = "192.0.2.7"
LIMITS = Limits(keep_alive=60, head_timeout=10, answer_timeout=50, write_timeout=7)
LISTEN = Listen(limits=LIMITS, body_timeout=5)


class Wire(asyncio.Transport):
    """The connection as the operating system has it, told in words."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.did: list[str] = []

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return (PEER, 4711) if name == "peername" else default

    def write(self, data: Any) -> None:
        self.written.append(bytes(data))

    def write_eof(self) -> None:
        self.did.append("eof")

    def can_write_eof(self) -> bool:
        return True

    def is_closing(self) -> bool:
        return False

    def abort(self) -> None:
        self.did.append("abort")

    def pause_reading(self) -> None:
        self.did.append("pause")

    def resume_reading(self) -> None:
        self.did.append("resume")

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        assert (high, low) == (1, 0)


class Server:
    """Who is behind the gate: it keeps what it is given."""

    def __init__(self) -> None:
        self.given: list[bytes] = []
        self.outlet: asyncio.Transport

    def connection_made(self, transport: asyncio.Transport) -> None:
        self.outlet = transport

    def data_received(self, data: bytes) -> None:
        self.given.append(data)

    def connection_lost(self, exc: Exception | None) -> None: ...
    def pause_writing(self) -> None: ...
    def resume_writing(self) -> None: ...


class Stage:
    """A listener with one connection, and a clock to move. What is answered at the gate waits in `begun` until it is awaited."""

    full = parting = stopping = False

    def __init__(self, hot: Mapping[str, Endpoint] | None = None) -> None:
        self.listen, self.hot, self.now, self.refused = LISTEN, hot or {}, 1000.0, list[Refusal]()
        self.begun: list[Coroutine[Any, Any, None]] = []
        self.kept: list[object] = []
        self.turned_away = self.refused.append
        self.gates: set[Gate] = set()
        self.server, self.wire, self.gate = Server(), Wire(), Gate(self)
        self.gate.connection_made(self.wire)

    def speak(self, gate: Gate) -> Behind:
        return self.server

    def begin(self, work: Coroutine[Any, Any, None]) -> Any:
        self.begun.append(work)
        return work

    def keep(self, begun: object) -> None:
        self.kept.append(begun)

    def hold(self, more: int) -> bool:
        return True

    def gone(self, gate: Gate) -> None: ...

    @property
    def left(self) -> float:
        """Seconds until the deadline."""
        return self.gate.deadline - self.now

    def hear(self, *pieces: bytes) -> float:
        for piece in pieces:
            self.gate.data_received(piece)
        return self.left

    def say(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.server.outlet.write(piece)
