"""HTTP by hand, byte for byte, so that also what no client would send can be sent."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

PATIENCE = 8.0
"""How long an answer is waited for, in seconds; what takes longer than one is told as a hang all the same."""
FORM = "application/x-www-form-urlencoded"

Pairs = Sequence[tuple[str, str | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request. A header with None is not sent; one that is given replaces the one that would be sent anyway.

    `secrets` are the credentials in it, none of which may be seen again anywhere.
    """

    path: str
    method: str = "POST"
    query: str = ""
    headers: Pairs = ()
    body: bytes = field(default=b"", repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)

    def raw(self) -> bytes:
        given = {name.lower() for name, _ in self.headers}
        own = [("host", "sts.example.test"), ("content-type", FORM), ("content-length", str(len(self.body))), ("connection", "close")]
        lines = [pair for pair in (*(pair for pair in own if pair[0] not in given), *self.headers) if pair[1] is not None]
        target = f"{self.path}?{self.query}" if self.query else self.path
        head = "".join(f"{name}: {value}\r\n" for name, value in lines)
        return f"{self.method} {target} HTTP/1.1\r\n{head}\r\n".encode("utf-8", "surrogatepass") + self.body


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came back. Status 0: nothing that is an answer."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = field(default=b"", repr=False)
    seconds: float = 0.0

    @property
    def accepted(self) -> bool:
        return 200 <= self.status < 300

    def header(self, name: str) -> str:
        return ", ".join(value for key, value in self.headers if key == name)

    @property
    def is_json(self) -> bool:
        return self.header("content-type").partition(";")[0].strip() == "application/json"

    @property
    def ours(self) -> bool:
        """Whether our code answered; a server refuses broken HTTP by itself, with or without a page."""
        return self.is_json or bool(self.header("x-request-id"))

    def document(self) -> dict[str, Any]:
        """The body as a JSON object; empty where it is none."""
        with suppress(ValueError):
            value = json.loads(self.body)
            if isinstance(value, dict):
                return value
        return {}


async def ask(port: int, raw: bytes) -> Reply:
    """Send these bytes on a connection of their own, and read one answer."""
    begun = time.perf_counter()
    heard = bytearray()
    with suppress(TimeoutError, OSError):
        async with asyncio.timeout(PATIENCE):
            await _exchanged(port, raw, heard)
    return _read(bytes(heard), time.perf_counter() - begun)


async def _exchanged(port: int, raw: bytes, heard: bytearray) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    sending = asyncio.create_task(_sent(writer, raw))
    try:
        while not _complete(heard):
            if not (piece := await reader.read(65_536)):
                return
            heard += piece
    finally:
        sending.cancel()
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def _sent(writer: asyncio.StreamWriter, raw: bytes) -> None:
    """A server that refuses early need not hear all of it."""
    with suppress(OSError):
        writer.write(raw)
        await writer.drain()


def _complete(heard: bytearray) -> bool:
    head, found, body = bytes(heard).partition(b"\r\n\r\n")
    if not found:
        return False
    lengths = [line.partition(b":")[2] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    return bool(lengths) and len(body) >= int(lengths[0])


def _read(heard: bytes, seconds: float) -> Reply:
    head, _, body = heard.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    protocol, _, rest = first.partition(" ")
    if not protocol.startswith("HTTP/1.") or not rest[:3].isdigit():
        return Reply(status=0, body=heard, seconds=seconds)
    pairs = tuple((name.strip().lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines))
    return Reply(status=int(rest[:3]), headers=pairs, body=body, seconds=seconds)
