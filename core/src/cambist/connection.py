"""Connections to addresses that were judged: what is checked is what is connected to (DNS rebinding)."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import httpcore
import httpx

from .address import address
from .errors import Unavailable

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""All addresses of a name."""
Judge = Callable[[str, str], str | None]
"""What speaks against connecting to an address, given the name that led to it."""

MAX_ADDRESSES = 4
"""So many addresses of one name are tried; each gets its share of the time, lest a dead one takes all of it."""


class Resolver:
    """Asks the system. In threads of its own: a resolver that hangs must not take those of others."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(4, "resolver")

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        found = await asyncio.get_running_loop().run_in_executor(self._threads, _looked_up, host, port)
        return list(dict.fromkeys(str(entry[4][0]) for entry in found))

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


def _looked_up(host: str, port: int) -> Sequence[Any]:
    return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)


class Dialler(httpcore.AsyncNetworkBackend):
    """Resolves a name once, judges every address, and connects to these very addresses. TLS goes on asking for the name."""

    def __init__(self, resolve: Resolve, judge: Judge) -> None:
        self._resolve, self._judge = resolve, judge
        self._sockets = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  # httpcore's interface
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        *others, last = await self._judged(host, port, limit=timeout)
        share = None if timeout is None else timeout / (len(others) + 1)
        for where in others:
            with contextlib.suppress(httpcore.ConnectError, httpcore.ConnectTimeout):
                return await self._sockets.connect_tcp(where, port, share, local_address, socket_options)
        return await self._sockets.connect_tcp(last, port, share, local_address, socket_options)

    async def _judged(self, host: str, port: int, *, limit: float | None) -> Sequence[str]:
        """One address that is out of bounds spoils the name: who mixes them hopes that the other is tried."""
        try:
            async with asyncio.timeout(limit):
                found = [host] if address(host) else await self._resolve(host, port)
        except TimeoutError as error:
            raise httpcore.ConnectTimeout("no address in time") from error
        for where in found:
            if objection := self._judge(host, where):
                raise Unavailable(what=host, cause=objection)
        if not found:
            raise httpcore.ConnectError("no address")
        return found[:MAX_ADDRESSES]


def trusted(file: Path | None) -> ssl.SSLContext:
    """Who is believed: the authorities of a file, else the system's. Read anew when the file has changed.

    That takes 20 ms; who was forked from a process that has read it is spared them.
    """
    seen = (file or Path(ssl.get_default_verify_paths().cafile or os.devnull)).stat()
    return _read(file, (seen.st_dev, seen.st_ino, seen.st_mtime_ns, seen.st_size))


@lru_cache(maxsize=4)
def _read(file: Path | None, seen: tuple[int, ...]) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=file and str(file))


@dataclass(frozen=True, slots=True)
class Route:
    """How a host is reached."""

    judge: Judge
    trust: ssl.SSLContext
    proxy: str | None = field(default=None, repr=False)


@dataclass(slots=True)
class Connections(httpx.AsyncBaseTransport):
    """Connections to everybody, each by its route; those of one route are kept together, and used again."""

    route: Callable[[httpx.URL], Route]
    resolve: Resolve
    _pools: dict[Route, httpcore.AsyncConnectionPool] = field(default_factory=dict)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        url, route = request.url, self.route(request.url)
        if (pool := self._pools.get(route)) is None:
            pool = self._pools[route] = _pool(route, self.resolve)
        target = httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
        asked = httpcore.Request(request.method, target, headers=request.headers.raw, content=request.stream, extensions=request.extensions)
        answer = await pool.handle_async_request(asked)
        return httpx.Response(answer.status, headers=answer.headers, stream=_Stream(answer), extensions=dict(answer.extensions))

    async def aclose(self) -> None:
        for pool in self._pools.values():
            await pool.aclose()


def _pool(route: Route, resolve: Resolve) -> httpcore.AsyncConnectionPool:
    if route.proxy is None:
        dialler = Dialler(resolve, route.judge)
        return httpcore.AsyncConnectionPool(ssl_context=route.trust, max_connections=100, keepalive_expiry=30, network_backend=dialler)
    url = httpx.URL(route.proxy)
    return httpcore.AsyncHTTPProxy(
        proxy_url=httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=b"/"),
        proxy_auth=(url.username, url.password) if url.userinfo else None,
        ssl_context=route.trust,
        max_connections=100,
        keepalive_expiry=30,
        network_backend=Dialler(resolve, _wherever),
    )


def _wherever(host: str, where: str) -> None:
    """The operator named the proxy: it may be anywhere."""


class _Stream(httpx.AsyncByteStream):
    """The body, as it comes."""

    def __init__(self, answer: httpcore.Response) -> None:
        self._answer = answer

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._answer.aiter_stream():
            yield part

    async def aclose(self) -> None:
        if _surplus(self._answer):
            await self._answer.extensions["network_stream"].aclose()
        await self._answer.aclose()


def _surplus(answer: httpcore.Response) -> bool:
    """Whether something stands behind the answer: the next question over this connection would be given it (response queue poisoning).

    httpcore keeps it, and has no public way to ask; where it cannot be told, the connection is not used again.
    """
    stream: Any = answer.stream
    try:
        return bool(stream._stream._connection._h11_state.trailing_data[0])
    except AttributeError:
        return True


def why(error: BaseException | None) -> str | None:
    """What kept a connection from coming about, for an operator; None where nothing that is known did."""
    match error:
        case None:
            return None
        case ssl.SSLCertVerificationError():
            return f"its certificate is not trusted: {error.verify_message}"
        case ssl.SSLError():
            return f"it does not speak TLS as it should: {error.reason}"
        case socket.gaierror():
            return "its name leads nowhere"
        case ConnectionRefusedError():
            return "nobody listens there"
    return why(error.__cause__ or error.__context__)
