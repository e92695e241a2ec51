"""Publishes key sets on loopback, for the service to fetch as it would fetch any issuer's; and hears who else is asked for."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Publisher:
    """Documents by path. `asked` has every path in order."""

    port: int
    documents: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def publish(self, document: Mapping[str, Any]) -> str:
        """The URL at which the document can be had from now on."""
        path = f"/{len(self.documents)}.json"
        self.documents[path] = json.dumps(document).encode()
        return f"http://127.0.0.1:{self.port}{path}"

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        path = head.split(b" ", 2)[1].decode("latin-1")
        self.asked.append(path)
        body = self.documents.get(path)
        status = "404 Not Found" if body is None else "200 OK"
        told = body or b"{}"
        head_out = f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {len(told)}\r\nconnection: close\r\n\r\n"
        writer.write(head_out.encode() + told)
        await writer.drain()
        writer.close()


@asynccontextmanager
async def publishing() -> AsyncIterator[Publisher]:
    """A publisher, until the block ends."""
    publisher = Publisher(0)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await publisher.answer(reader, writer)
        except (OSError, asyncio.IncompleteReadError, IndexError):
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    publisher.port = server.sockets[0].getsockname()[1]
    async with server:
        yield publisher
