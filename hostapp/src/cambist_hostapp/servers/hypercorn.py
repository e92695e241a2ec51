"""Hypercorn's HTTP/1.1, behind the gate of one socket: the default, and the only one that speaks TLS.

Of Hypercorn this uses the protocol and the TLS settings. Its own connection executes smuggled requests (its issue 279), speaks
cleartext HTTP/2 to whoever begins with it, and has no deadline for a request that does not end; the gate has all three.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable
from typing import Any

from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.asyncio.worker_context import WorkerContext
from hypercorn.config import Config
from hypercorn.events import Closed, Event, RawData, Updated
from hypercorn.protocol.h11 import H11Protocol
from hypercorn.typing import AppWrapper, ConnectionState
from hypercorn.utils import parse_socket_addr

from cambist.errors import Refusal
from cambist.settings import Listen
from cambist.web.front import Front

from .accepting import Accepting
from .entrance import Entrance
from .gate import Gate

log = logging.getLogger(__name__)

Send = Callable[[Any], Awaitable[None]]
Away = Callable[[Refusal], None]


class Tasks:
    """Where requests run: Hypercorn asks for an app to be spawned, and puts into its queue what it has read."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()

    async def spawn_app(self, app: AppWrapper, config: Config, scope: Any, send: Send) -> Callable[[Any], Awaitable[None]]:
        queue: asyncio.Queue[Any] = asyncio.Queue(config.max_app_queue_size)
        self.spawn(_run, app, scope, queue.get, send)
        return queue.put

    def spawn(self, func: Callable[..., Any], *args: Any) -> None:
        task = asyncio.ensure_future(func(*args))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def __aenter__(self) -> Tasks:
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in list(self._running):
            task.cancel()


async def _run(app: AppWrapper, scope: Any, receive: Callable[[], Awaitable[Any]], send: Send) -> None:
    try:
        await app(scope, receive, send, _no_threads, _no_threads)
    except Exception as error:
        log.error("a request ended in %s", type(error).__name__)
    finally:
        await send(None)


def _no_threads(*_: Any) -> Any:
    raise NotImplementedError  # only WSGI applications ask for them


class Spoken:
    """Hypercorn's protocol, given one whole request at a time."""

    def __init__(self, gate: Gate, app: AppWrapper, config: Config, context: WorkerContext, tasks: Tasks) -> None:
        self._gate, self._app, self._config, self._context, self._tasks = gate, app, config, context, tasks
        self._writable = asyncio.Event()
        self._writable.set()
        self._protocol: H11Protocol
        self._outlet: asyncio.Transport

    def connection_made(self, transport: asyncio.Transport) -> None:
        self._outlet = transport
        sock, secure = transport.get_extra_info("socket"), transport.get_extra_info("ssl_object") is not None
        client, server = (parse_socket_addr(sock.family, transport.get_extra_info(name)) for name in ("peername", "sockname"))
        self._protocol = H11Protocol(
            self._app, self._config, self._context, self._tasks, ConnectionState({}), secure, client, server, self._send
        )

    def data_received(self, data: bytes) -> None:
        self._tasks.spawn(self._protocol.handle, RawData(data))

    def connection_lost(self, exc: Exception | None) -> None:
        self._writable.set()
        self._tasks.spawn(self._protocol.handle, Closed())

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    async def _send(self, event: Event) -> None:
        if isinstance(event, RawData):
            await self._writable.wait()
            self._outlet.write(event.data)
        elif isinstance(event, Closed):
            self._outlet.close()
        elif isinstance(event, Updated) and event.idle:
            self._gate.answered()


async def serve(front: Front, entrance: Entrance, listen: Listen, tls: bool, stopped: asyncio.Event, *, turned_away: Away) -> None:
    """Until `stopped` is set, then finish what was accepted."""
    config = _config(listen, tls)
    wrapped, context = ASGIWrapper(front.asgi), WorkerContext(None)
    async with Tasks() as tasks:
        accepting = Accepting(listen, front.hot, lambda gate: Spoken(gate, wrapped, config, context, tasks), turned_away)
        await accepting.until(stopped, entrance, _tls(config, listen) if tls else None)


def _config(listen: Listen, tls: bool) -> Config:
    config = Config()
    config.include_server_header = False
    config.accesslog = config.errorlog = None
    config.keep_alive_max_requests = listen.limits.requests_per_connection + 1  # the gate counts
    config.alpn_protocols = ["http/1.1"]
    if tls:
        config.certfile, config.keyfile = str(listen.certificate), str(listen.private_key)
        if listen.client_ca:
            config.ca_certs, config.verify_mode = str(listen.client_ca), ssl.CERT_REQUIRED
    return config


def _tls(config: Config, listen: Listen) -> ssl.SSLContext | None:
    context = config.create_ssl_context()
    if context is not None and listen.client_ca:
        # A resumed session is not asked for its certificate again: with client certificates every connection proves its own.
        context.options |= ssl.OP_NO_TICKET
        context.num_tickets = 0
    return context
