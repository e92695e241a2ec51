"""What a server sends behind its answer is nobody's answer (response queue poisoning)."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import httpcore
import pytest

from cambist.connection import _surplus
from cambist.egress import Egress, EgressSettings


def answer(text: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(text), text)


def chunked(text: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(text), text)


@pytest.mark.parametrize("framed", [answer, chunked])
@pytest.mark.parametrize(("behind", "connections"), [(answer(b"of another"), 3), (b"HTTP/1.1 2", 3), (b"\r\n", 3), (b"", 1)])
async def test_a_connection_with_something_behind_the_answer_is_not_used_again(framed: Any, behind: bytes, connections: int) -> None:
    accepted: list[asyncio.StreamWriter] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted.append(writer)
        while await reader.readline():
            await reader.readuntil(b"\r\n\r\n")
            writer.write(framed(b"mine") + behind)

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as server, Egress(EgressSettings()) as http:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        assert [(await http.get(url)).body for _ in range(3)] == [b"mine"] * 3
        assert len(accepted) == connections
        for writer in accepted:
            writer.close()
            await writer.wait_closed()


def test_where_it_cannot_be_told_the_connection_is_not_used_again() -> None:
    assert _surplus(cast(httpcore.Response, SimpleNamespace(stream=object())))
