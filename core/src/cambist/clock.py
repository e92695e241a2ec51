"""Now, and how long we wait."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

from .errors import DeadlineExceeded

Clock = Callable[[], float]
"""Seconds since 1970, as `time.time`."""


@asynccontextmanager
async def within(seconds: float, what: str) -> AsyncIterator[None]:
    """Bound a block of work; raises DeadlineExceeded when `seconds` have passed."""
    loop = asyncio.get_running_loop()
    ends = loop.time() + seconds
    scope = asyncio.timeout_at(ends)
    try:
        async with scope:
            yield
    except TimeoutError as error:
        if scope.expired():
            raise DeadlineExceeded(what=what, seconds=seconds, **_waited_for(error.__cause__)) from error
        raise
    # Something inside caught the cancellation and went on, or held the loop so that there was none: it is too late all the same.
    if scope.expired() or loop.time() > ends:
        raise DeadlineExceeded(what=what, seconds=seconds)


def _waited_for(cancelled: BaseException | None) -> Mapping[str, str]:
    """The plugin that was at work when time was up, as the fence around it noted; the innermost, if there were several."""
    notes = getattr(cancelled, "__notes__", ())
    return {"plugin": notes[0]} if notes else {}
