"""How a worker parts from its clients: who is about to ask is still answered."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

LINGER = 0.5
"""Seconds for which a server that accepts nothing new answers who is connected. A connection that is closed while a request is
on its way to it is reset, and the client cannot know whether the request was read (RFC 9112 section 9.6)."""
PAUSE = 0.02


async def linger(connected: Callable[[], object], longest: float) -> None:
    """Wait until nobody is connected, at most LINGER or `longest` seconds."""
    loop = asyncio.get_running_loop()
    until = loop.time() + min(LINGER, longest)
    while connected() and loop.time() < until:  # noqa: ASYNC110 - done once; an event would cost something for each connection
        await asyncio.sleep(PAUSE)
