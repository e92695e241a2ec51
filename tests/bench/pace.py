"""An open-loop client: it asks at moments that were set beforehand, however slow the answers are, and says how late it was itself.

It is made of little, for it shares the machine with what it measures.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, cast

import httptools
import msgspec

from cambist.compact import Compact

CONNECTIONS = 16
"""So many, used in turn, that every worker has some of them."""
PATIENCE = 10.0
"""Seconds after which no answer is expected any more."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one request, in seconds: `at` is its moment, `late` how long after that it was sent, `took` how long the answer took.

    `said` is empty for a token, of which `kid` names the key and `lives` is the lifetime; else it is what was said in its place.
    """

    at: float
    late: float
    took: float
    said: str = ""
    kid: str = ""
    lives: int = 0


async def paced(port: int, path: str, body: Callable[[], bytes], *, rate: float, seconds: float) -> list[Answer]:
    """Ask 127.0.0.1 so many times a second, each time with another body."""
    answers: list[Answer] = []
    pool = _Pool(port)
    await pool.fill()

    async def ask(at: float) -> None:
        content = body()
        head = f"POST {path} HTTP/1.1\r\nHost: localhost:{port}\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
        sent, said, told = perf_counter(), "", {}
        try:
            async with asyncio.timeout(PATIENCE):
                status, answer = await pool.sent(head.encode() + content)
            told = msgspec.json.decode(answer)
            said = "" if status == 200 else f"{status} {told.get('reason')}"
        except (OSError, TimeoutError) as error:
            said = type(error).__name__
        answers.append(Answer(at, sent - began - at, perf_counter() - sent, said, *_token(told)))

    began = perf_counter()
    async with asyncio.TaskGroup() as group:
        for number in range(round(rate * seconds)):
            at = number / rate
            await asyncio.sleep(max(0.0, began + at - perf_counter()))
            group.create_task(ask(at))
    pool.close()
    return answers


def _token(told: Mapping[str, Any]) -> tuple[str, int]:
    """Its key, and its lifetime."""
    return (Compact.parse(told["access_token"]).header["kid"], told["expires_in"]) if "access_token" in told else ("", 0)


@dataclass(slots=True)
class _Pool:
    """Connections that nobody waits on; the one that has rested longest is next, and where there is none, one more is made."""

    port: int
    idle: deque[_Connection] = field(default_factory=deque)

    async def fill(self) -> None:
        self.idle.extend([await self._made() for _ in range(CONNECTIONS)])

    async def sent(self, request: bytes) -> tuple[int, bytes]:
        """Raises OSError."""
        while self.idle and self.idle[0].closed:
            self.idle.popleft()
        connection = self.idle.popleft() if self.idle else await self._made()
        try:
            answer = await connection.sent(request)
        except BaseException:
            connection.transport.close()  # an answer that comes after all must not be taken for the next one's
            raise
        self.idle.append(connection)
        return answer

    def close(self) -> None:
        for connection in self.idle:
            connection.transport.close()

    async def _made(self) -> _Connection:
        return (await asyncio.get_running_loop().create_connection(_Connection, "127.0.0.1", self.port))[1]


class _Connection(asyncio.Protocol):
    """One request at a time, and its answer."""

    transport: asyncio.Transport
    closed = False

    def __init__(self) -> None:
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None

    async def sent(self, request: bytes) -> tuple[int, bytes]:
        self._parser, self._body = httptools.HttpResponseParser(self), b""
        self._answer = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return await self._answer

    # ── what asyncio calls ──────────────────────────────────────────────────────────────────────────────

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # as every stream's is, though uvloop's is none by name

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def connection_lost(self, error: Exception | None) -> None:
        self.closed = True
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error or ConnectionResetError("it was closed"))

    # ── what the parser calls ───────────────────────────────────────────────────────────────────────────

    def on_body(self, part: bytes) -> None:
        self._body += part

    def on_message_complete(self) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result((self._parser.get_status_code(), self._body))
