"""Uvicorn with httptools, behind the gate of one plain socket: for throughput."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from email.utils import formatdate

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from cambist.errors import Refusal
from cambist.settings import Listen
from cambist.web.front import Front

from .accepting import Accepting
from .entrance import Entrance
from .gate import Gate

Away = Callable[[Refusal], None]


class Spoken(HttpToolsProtocol):
    """Uvicorn's protocol, given one whole request at a time."""

    def __init__(self, gate: Gate, config: uvicorn.Config, state: ServerState, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(config, state, {}, loop)
        self._gate = gate

    def on_response_complete(self) -> None:
        """None waits behind this one, for they come one by one; and no timer is wound up, for the gate closes what stands idle."""
        if not self.transport.is_closing():
            self._gate.answered()


async def serve(front: Front, entrance: Entrance, listen: Listen, tls: bool, stopped: asyncio.Event, *, turned_away: Away) -> None:
    """Until `stopped` is set, then finish what was accepted."""
    config = uvicorn.Config(
        front.asgi,
        http="httptools",
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,  # by default it believes X-Forwarded-For from this machine; whom we believe stands in listen.proxies
    )
    config.load()
    state, loop = ServerState(), asyncio.get_running_loop()
    dating = asyncio.create_task(_date(state))
    try:
        await Accepting(listen, front.hot, lambda gate: Spoken(gate, config, state, loop), turned_away).until(stopped, entrance)
    finally:
        dating.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await dating


async def _date(state: ServerState) -> None:
    """Every answer has the time (RFC 9110 section 6.6.1)."""
    while True:
        state.default_headers = [(b"date", formatdate(usegmt=True).encode("ascii"))]
        await asyncio.sleep(1)
