"""Now, and how long we wait."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from .errors import DeadlineExceeded

Clock = Callable[[], float]
"""Seconds since 1970, as `time.time`."""


@asynccontextmanager
async def within(seconds: float, what: str) -> AsyncIterator[None]:
    """Bound a block of work; raises DeadlineExceeded when `seconds` have passed."""
    scope = asyncio.timeout(seconds)
    try:
        async with scope:
            yield
    except TimeoutError as error:
        if scope.expired():
            raise DeadlineExceeded(what=what, seconds=seconds) from error
        raise
