"""An OPA server that answers as a test says, well and badly, for tests that have no OPA."""

from __future__ import annotations

import asyncio
import json
import zlib
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import suppress
from itertools import cycle
from types import TracebackType
from typing import Any, Self

Script = Mapping[str, Any]
_CHUNK = 65_536
_ENDED = (ConnectionError, asyncio.IncompleteReadError)


def said(result: Any, **envelope: Any) -> Script:
    """A script: OPA's answer with this result."""
    return {"status": 200, "headers": [["content-type", "application/json"]], "body": json.dumps({"result": result, **envelope})}


class ScriptedOpa:
    """Plays one script for each request, on 127.0.0.1.

    A script has `status`, `headers` and `body`, or `body_repeat: [text, n]`, `gzip_of_repeat: [text, n]`, `endless_chunks`; and as it likes
    `delay_s` and `drip_bytes_per_s`. Or it is one of `reset`, `refused`, `accept_only`, `raw` (bytes as they are), or `alternate: [a, b]`.
    """

    def __init__(self, script: Script) -> None:
        self.asked: list[bytes] = []
        """The body of each request."""
        self.heads: list[str] = []
        """Its request line and headers."""
        self.connections = 0
        self._talks: set[asyncio.Task[None]] = set()
        self.play(script)

    def play(self, script: Script) -> None:
        """From now on."""
        self._scripts: Iterator[Script] = cycle(script.get("alternate", [script]))
        self._refused = bool(script.get("refused"))

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accepted, "127.0.0.1", 0)
        self._port: int = self._server.sockets[0].getsockname()[1]
        if self._refused:  # the port was free a moment ago, and nobody listens there
            self._server.close()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None) -> None:
        self._server.close()
        for talk in self._talks:
            talk.cancel()
        await asyncio.gather(*self._talks, return_exceptions=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        talk = asyncio.ensure_future(self._talked(reader, writer))
        self._talks.add(talk)
        talk.add_done_callback(self._talks.discard)

    async def _talked(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                await self._heard(reader)
                await self._answer(writer, next(self._scripts))
        except _ENDED:
            pass
        finally:
            writer.close()
            with suppress(*_ENDED):
                await writer.wait_closed()

    async def _heard(self, reader: asyncio.StreamReader) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        lines = [line.partition(":") for line in head.lower().splitlines()]
        length = next((int(value) for name, _, value in lines if name == "content-length"), 0)
        self.asked.append(await reader.readexactly(length))
        self.heads.append(head)

    async def _answer(self, writer: asyncio.StreamWriter, script: Script) -> None:
        if script.get("reset"):
            writer.transport.abort()
            raise ConnectionResetError
        if script.get("accept_only"):
            await asyncio.Event().wait()
        if "raw" in script:
            writer.write(script["raw"])
            return
        await asyncio.sleep(script.get("delay_s", 0))
        writer.write(_head(script))
        async for part in _parts(script):
            writer.write(part)
            await writer.drain()


def _head(script: Script) -> bytes:
    lines = [f"HTTP/1.1 {script.get('status', 200)} As-Scripted", *(f"{name}: {value}" for name, value in script.get("headers", ()))]
    if script.get("endless_chunks") or "gzip_of_repeat" in script:
        lines.append("transfer-encoding: chunked")
    else:
        text, times = script.get("body_repeat", (script.get("body", ""), 1))
        lines.append(f"content-length: {len(text.encode()) * times}")
    if "gzip_of_repeat" in script:
        lines.append("content-encoding: gzip")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


async def _parts(script: Script) -> AsyncIterator[bytes]:
    if script.get("endless_chunks"):
        while True:
            yield _chunk(b" " * 1024)
    elif "gzip_of_repeat" in script:
        async for part in _gzipped(*script["gzip_of_repeat"]):
            yield _chunk(part)
        yield b"0\r\n\r\n"
    elif "body_repeat" in script:
        text, times = script["body_repeat"]
        for part in _repeated(text.encode(), times):
            yield part
    elif pace := script.get("drip_bytes_per_s"):
        for byte in script["body"].encode():
            yield bytes([byte])
            await asyncio.sleep(1 / pace)
    else:
        yield script.get("body", "").encode()


def _chunk(part: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(part), part)


def _repeated(text: bytes, times: int) -> Iterator[bytes]:
    at_once = max(1, _CHUNK // len(text))
    for done in range(0, times, at_once):
        yield text * min(at_once, times - done)


async def _gzipped(text: str, times: int) -> AsyncIterator[bytes]:
    packer = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    for part in _repeated(text.encode(), times):
        if packed := packer.compress(part):
            yield packed
        await asyncio.sleep(0)  # whoever is answered lives in the same loop
    yield packer.flush()
